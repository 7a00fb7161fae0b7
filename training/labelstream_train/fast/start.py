"""Initial token vectors: the output of a base encoder for each token alone.

A token alone through the whole encoder gives a better vector than its row of the embedding table (Tulkens and van
Dongen 2024, "Model2Vec"): on Banking77 a linear model on them reaches 88.1 instead of 86.7 % (held out). The encoder
runs only on tokens of the training texts and on frequent ones; a linear map from the embedding table, fitted to these,
gives all others. The vectors are reduced to their first principal components and weighted by inverse document
frequency.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ..errors import UserError
from ..learning import bert_graph
from ..learning.base import Base
from ..learning.bert_names import BERT_NAMES
from ..package import nodes
from ..package.scorer import open_session
from ..progress import Progress
from .network import read_arrays, write_arrays

WORDS_AT_ONCE = 256
COMMON_WORDS = 6000
"""First tokens of the base's vocabulary, the most frequent: the encoder runs on them, too."""
RIDGE = 1e-3
"""Ridge penalty of the linear map, as a share of the mean square of the table."""
RANDOM_SCALE = 0.3
"""Standard deviation of random initial vectors."""


def at_random(words: int, dimensions: int, seed: int) -> np.ndarray:
    """[words, dimensions] f32."""
    dice = np.random.default_rng(seed)
    return (RANDOM_SCALE * dice.standard_normal((words, dimensions))).astype(np.float32)


def of_base(base: Base, counts: np.ndarray, texts: int, dimensions: int, cache: Path, threads: int) -> np.ndarray:
    """[words, dimensions] f32 with standard deviation 1 over the tokens of the training texts.

    `counts` [words] are document frequencies among `texts` texts.
    """
    seen = counts > 0
    alone = _alone(base, seen, cache, threads)
    alone = alone - alone[seen].mean(axis=0)
    weighted = alone[seen] * np.sqrt(counts[seen] / texts)[:, None]
    axes = np.linalg.svd(weighted, full_matrices=False)[2][:dimensions]
    rarity = np.log((1 + texts) / (1 + counts)) + 1
    vectors = np.zeros((len(alone), dimensions))
    vectors[:, : len(axes)] = alone @ axes.T * rarity[:, None]
    return (vectors / vectors[seen].std()).astype(np.float32)


def _alone(base: Base, seen: np.ndarray, cache: Path, threads: int) -> np.ndarray:
    """[words, width of the base] f32: the base's output for each token alone, or the linear map's; cached in
    `cache`."""
    config, weights = base.config(), _weights(base)
    table = weights["embeddings.word_embeddings.weight"]
    chosen = np.flatnonzero(seen | (np.arange(len(seen)) < COMMON_WORDS))
    digest = hashlib.sha256(table.tobytes() + chosen.tobytes()).hexdigest()
    path = cache / f"words-{digest[:16]}.npz"
    if not path.is_file():
        write_arrays(path, {"answers": _answers(config, weights, chosen, threads)})
    answers = read_arrays(path)["answers"]
    known = table[chosen].astype(np.float64)
    ridge = RIDGE * len(known) * np.square(known).mean() * np.eye(table.shape[1])
    alone = (table @ np.linalg.solve(known.T @ known + ridge, known.T @ answers)).astype(np.float32)
    alone[chosen] = answers
    return alone


def _answers(config: dict, weights: dict[str, np.ndarray], chosen: np.ndarray, threads: int) -> np.ndarray:
    """[chosen, width] f32: mean over [CLS], the word and [SEP] of the last layer."""
    width = weights["embeddings.word_embeddings.weight"].shape[1]
    head = {"classifier.weight": np.eye(width, dtype=np.float32), "classifier.bias": np.zeros(width, np.float32)}
    sizes = config["num_hidden_layers"], config["num_attention_heads"], config["layer_norm_eps"]
    with tempfile.TemporaryDirectory() as folder:
        nodes.save(bert_graph.build(weights | head, *sizes, int8=False), Path(folder) / "model.onnx")
        session = open_session(Path(folder) / "model.onnx", threads)
    rows = []
    first, last = config.get("cls_token_id", 101), config.get("sep_token_id", 102)
    with Progress("token vectors", len(chosen), "tokens") as progress:
        for start in range(0, len(chosen), WORDS_AT_ONCE):
            ids = np.array([[first, word, last] for word in chosen[start : start + WORDS_AT_ONCE]])
            feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            rows.append(session.run(["logits"], feed)[0])
            progress.add(len(ids))
    return np.concatenate(rows)


def _weights(base: Base) -> dict[str, np.ndarray]:
    """The encoder's weights by the names of `bert_graph`, without a head."""
    kind = base.config().get("model_type")
    if kind != "bert":
        raise UserError(f"take the token vectors of {base.folder}: model_type {kind!r} is not 'bert'")
    weights = {}
    for name, value in base.weights(load_file).items():
        name = name.removeprefix("bert.")
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        for old, new in BERT_NAMES:
            name = name.replace(old, new)
        weights[name] = value.astype(np.float32)
    return weights
