"""A tier that is trained in milliseconds: the mean of word vectors times a matrix, in numpy, and the same in ONNX.

Its words and vectors are drawn from a seed; `train` only writes them down. Tests put it in place of a real tier.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts
from labelstream_train.package.settings import Storage
from labelstream_train.run import Run

WORDS = tuple(f"w{number}" for number in range(60))
SPECIAL = ("[PAD]", "[UNK]")
WIDTH = 16
TOKENS_MAX = 64


def parts(labels: Sequence[str], texts: int, is_multi_label: bool, seed: int = 5) -> Parts:
    """Texts whose label the tier mostly gets right: its own best label, sometimes another one."""
    dice = np.random.default_rng(seed)
    lines = [" ".join(dice.choice(WORDS, dice.integers(2, 12))) for _ in range(texts)]
    rows = _logits(labels, lines)
    names = np.array(labels)
    if is_multi_label:
        truth = [tuple(names[row + dice.normal(0, 0.8, len(row)) > 0]) for row in rows]
    else:
        truth = [(str(names[(row + dice.normal(0, 0.8, len(row))).argmax()]),) for row in rows]
    examples = [Example(line, tuple(map(str, own))) for line, own in zip(lines, truth, strict=True)]
    third = texts // 3
    facts = {
        "files": [{"name": "words.csv", "sha256": "a" * 64, "rows": texts}],
        "fingerprint": "f" * 64,
        "dropped": {"in_test": 2},
        "data": {"name": "words", "licence": "CC0-1.0", "attribution": "made up"},
    }
    return Parts(
        tuple(labels),
        is_multi_label,
        tuple(examples[:third]),
        tuple(examples[third : 2 * third]),
        tuple(examples[2 * third :]),
        (),
        facts,
    )


def write_model(run: Run, folder: Path, storage: Storage) -> None:
    """The three model files; int8 rounds the matrix to 8 bits a column."""
    folder.mkdir(parents=True, exist_ok=True)
    found = run.parts()
    vectors, matrix = _weights(len(found.labels))
    if storage == "int8":
        scale = np.abs(matrix).max(axis=0) / 127
        matrix = (np.round(matrix / scale) * scale).astype(np.float32)
    onnx.save(_model(vectors, matrix), folder / "model.onnx")
    vocabulary = {word: place for place, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[1]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    kind = "multi_label_classification" if found.is_multi_label else "single_label_classification"
    config = {
        "model_type": "bert",
        "problem_type": kind,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": TOKENS_MAX,
        "pad_token_id": 0,
        "id2label": {str(place): label for place, label in enumerate(found.labels)},
        "label2id": {label: place for place, label in enumerate(found.labels)},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def logits(run: Run, texts: Sequence[str]) -> np.ndarray:
    """The other side of parity: numpy."""
    return _logits(run.parts().labels, texts)


def _logits(labels: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    vectors, matrix = _weights(len(labels))
    ids = {word: len(SPECIAL) + place for place, word in enumerate(WORDS)}
    means = [vectors[[ids.get(word, 1) for word in text.split()[:TOKENS_MAX]]].mean(axis=0) for text in texts]
    return (np.array(means) @ matrix).astype(np.float32)


def _weights(labels: int) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(11)
    vectors = dice.normal(0, 1, (len(SPECIAL) + len(WORDS), WIDTH)).astype(np.float32)
    return vectors, dice.normal(0, 1.5, (WIDTH, labels)).astype(np.float32)


def _model(vectors: np.ndarray, matrix: np.ndarray) -> onnx.ModelProto:
    """mask @ vectors[ids] / count of the mask, times the matrix."""
    nodes = [
        helper.make_node("Gather", ["vectors", "input_ids"], ["words"], axis=0),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "one"], ["row"]),
        helper.make_node("MatMul", ["row", "words"], ["sums"]),
        helper.make_node("Squeeze", ["sums", "one"], ["sum"]),
        helper.make_node("ReduceSum", ["mask", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "matrix"], ["logits"]),
    ]
    constants = [
        numpy_helper.from_array(vectors, "vectors"),
        numpy_helper.from_array(matrix, "matrix"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", matrix.shape[1]])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
