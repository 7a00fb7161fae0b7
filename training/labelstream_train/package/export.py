"""Turns trained weights into model.onnx, tokenizer.json and config.json, and proves that they agree.

The fp32 graph must equal the torch model on real texts; it then is the reference for the int8-stored
one. Both are written, each into a folder that `scorer` can open.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from ..encoder import graph
from ..encoder import training as train
from ..evaluate import metrics
from ..encoder.base import Base
from ..errors import UserError
from ..encoder.recipe import Recipe
from .scorer import Scorer

TORCH_DIFFERENCE_MAX = 1e-4
"""Largest accepted change of a logit from torch to ONNX Runtime. Rounding gives about 1e-5; a wrong
graph gives more than 0.1."""

ALONE_BATCH_ITEMS = 32


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the exported graphs are from what was trained, on the texts they were compared on."""

    torch_logit_difference_max: float
    int8_agreement: float
    int8_probability_difference_max: float
    alone_logit_difference_max: float
    """Of a text scored alone against the same text in a padded batch; 0 is equal to the last bit."""


def write_model(base: Base, weights: Path, labels: tuple[str, ...], folder: Path, int8: bool) -> None:
    """The three model files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = base.shape()
    arrays = {name: value.numpy() for name, value in load_file(weights).items()}
    if arrays["classifier.weight"].shape[0] != len(labels):
        raise UserError(f"export {weights}: it was trained for other labels")
    model = graph.build(arrays, shape.num_hidden_layers, shape.num_attention_heads, shape.layer_norm_eps, int8)
    graph.save(model, folder / "model.onnx")
    (folder / "tokenizer.json").write_text(base.tokenizer().to_str(pretty=False), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(_config(base, labels), indent=1) + "\n", encoding="utf-8")


def torch_difference(base: Base, weights: Path, recipe: Recipe, texts: train.Texts, folder: Path) -> float:
    """Largest change of a logit on `texts` from torch to the fp32 graph in `folder`."""
    labels = load_file(weights)["classifier.weight"].shape[0]
    model = train.build_model(base, labels, recipe)
    model.load_state_dict(load_file(weights))
    expected = train.logits(model, texts)
    scorer = Scorer(folder, {"tokens_max": recipe.tokens_max})
    found = np.concatenate([scorer.logits_of_ids([ids]) for ids in texts.ids])
    difference = float(np.abs(found - expected).max())
    if difference > TORCH_DIFFERENCE_MAX:
        raise AssertionError(f"the graph in {folder} differs from the torch model by {difference}")
    return difference


def int8_differences(fp32: np.ndarray, int8: np.ndarray, temperature: float) -> tuple[float, float]:
    """(share of texts with the same label, largest change of a probability) of two logit arrays."""
    change = np.abs(metrics.softmax(fp32, temperature) - metrics.softmax(int8, temperature)).max()
    return float((fp32.argmax(axis=1) == int8.argmax(axis=1)).mean()), float(change)


def alone_difference(scorer: Scorer, texts: list[str]) -> float:
    """Largest change of a logit between a text scored alone and in a padded batch of 32.

    Neighbours in `texts` share a batch, so pass them in an order that mixes lengths.
    """
    ids, worst = scorer.ids(texts), 0.0
    for start in range(0, len(ids), ALONE_BATCH_ITEMS):
        part = ids[start : start + ALONE_BATCH_ITEMS]
        alone = np.concatenate([scorer.logits_of_ids([each]) for each in part])
        worst = max(worst, float(np.abs(scorer.logits_of_ids(part) - alone).max()))
    return worst


def _config(base: Base, labels: tuple[str, ...]) -> dict:
    """The base's config with our labels; what names the base's own classes and history is left out."""
    left_out = {"architectures", "gradient_checkpointing", "transformers_version", "use_cache"}
    config = {key: value for key, value in base.config().items() if key not in left_out}
    return config | {
        "_name_or_path": base.name,
        "pooling": "mean",
        "problem_type": "single_label_classification",
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
    }
