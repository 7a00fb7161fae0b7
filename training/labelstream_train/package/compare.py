"""Checks that the exported model equals the trained one, and measures what each storage costs.

The fp32 model is compared with the training framework, the other storages with the fp32 model.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..statistics import intervals
from .scorer import Scorer

LOGIT_DIFFERENCE_MAX = 1e-4
"""Largest accepted change of a logit from the training framework to the fp32 model. Rounding gives about 1e-5; a wrong
graph gives more than 0.1."""

ALONE_TEXTS_MAX = 128
ALONE_BATCH_ITEMS = 32
SPEED_TEXTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a comparison; `truth` is that of `test`, ids or 0 and 1."""

    held_out: Sequence[str]
    test: Sequence[str]
    truth: np.ndarray


@dataclass(frozen=True, slots=True)
class Answers:
    """One storage's logits on the texts of a comparison, [texts, labels] f32 each."""

    held_out: np.ndarray
    test: np.ndarray


def logit_difference(found: np.ndarray, expected: np.ndarray, folder: Path) -> float:
    """Largest difference of two arrays of logits; more than rounding is a bug of ours, and stops the export."""
    difference = float(np.abs(found - expected).max(initial=0.0))
    if not difference <= LOGIT_DIFFERENCE_MAX:
        raise AssertionError(f"the model in {folder} differs by {difference} from the trained model")
    return difference


def answers(scorer: Scorer, texts: Texts) -> Answers:
    """The logits of a storage for all texts."""
    return Answers(scorer.logits(texts.held_out), scorer.logits(texts.test))


def costs(folder: Path, manifest: dict, texts: Texts) -> dict[str, float | int]:
    """Bytes of the model, seconds to load it, milliseconds a text of batches, and how far a text's logits move in a
    padded batch of 32. Times are CPU time of one thread, which other programs affect little."""
    began = time.process_time()
    scorer = Scorer(folder, manifest, threads=1)
    loaded = time.process_time() - began
    some = list(texts.held_out[:SPEED_TEXTS_MAX])
    scorer.logits(some[:8])  # warm-up
    began = time.process_time()
    scorer.logits(some)
    per_text = (time.process_time() - began) / len(some)
    return {
        "bytes": (folder / "model.onnx").stat().st_size,
        "load_seconds": round(loaded, 4),
        "milliseconds_per_text": round(1000 * per_text, 4),
        "alone_logit_difference_max": alone_difference(scorer, texts.held_out[:ALONE_TEXTS_MAX]),
    }


def agreement(scorer: Scorer, fp32: Answers, other: Answers, texts: Texts) -> dict[str, Any]:
    """How often the labels of two storages are the same, how far a probability moves, and the accuracy lost on test.

    `agreement` is over held-out and test texts together. `accuracy_loss` is fp32's share of exactly right answers
    minus the other's: below 0 when the other is better. Both have 95 % intervals: one text of forty is a
    loss of 2.5 points, which means nothing.
    """
    pairs = [(fp32.held_out, other.held_out), (fp32.test, other.test)]
    probabilities = [tuple(scorer.probabilities_of(each) for each in pair) for pair in pairs]
    same = [(best(scorer, first) == best(scorer, second)).all(axis=1) for first, second in probabilities]
    equal = np.concatenate(same)
    agreed = intervals.share(int(equal.sum()), len(equal))
    found: dict[str, Any] = {
        "agreement": agreed.value,
        "agreement_interval": [agreed.low, agreed.high],
        "agreement_held_out": float(same[0].mean()),
        "probability_difference_max": max(float(np.abs(a - b).max(initial=0.0)) for a, b in probabilities),
    }
    if len(texts.test):
        exact, stored = (is_right(scorer, each, texts.truth) for each in probabilities[1])
        loss = intervals.paired_difference(stored, exact)
        found |= {"agreement_test": float(same[1].mean()), "accuracy_loss": loss.value,
                  "accuracy_loss_interval": [loss.low, loss.high]}  # fmt: skip
    return {name: np.round(value, 6).tolist() for name, value in found.items()}


def best(scorer: Scorer, probabilities: np.ndarray) -> np.ndarray:
    """[texts, labels] bool: the predicted labels; single-label: the best one, even below the abstain threshold."""
    if scorer.is_multi_label:
        return scorer.given(probabilities)
    return np.arange(probabilities.shape[1]) == probabilities.argmax(axis=1)[:, None]


def is_right(scorer: Scorer, probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """[texts] bool: whether the labels are exactly the true ones."""
    wanted = truth > 0.5 if truth.ndim == 2 else np.arange(probabilities.shape[1]) == truth[:, None]
    return (best(scorer, probabilities) == wanted).all(axis=1)


def alone_difference(scorer: Scorer, texts: Sequence[str]) -> float:
    """Largest change of a logit between a text scored alone and in a padded batch of 32 neighbours of any length."""
    ids, worst = scorer.ids(texts), 0.0
    for start in range(0, len(ids), ALONE_BATCH_ITEMS):
        part = ids[start : start + ALONE_BATCH_ITEMS]
        alone = np.concatenate([scorer.logits_of_ids([each]) for each in part])
        worst = max(worst, float(np.abs(scorer.logits_of_ids(part) - alone).max()))
    return worst


def spread(count: int, count_max: int) -> list[int]:
    """At most `count_max` places of `count`, evenly spread."""
    return sorted(set(np.linspace(0, count - 1, min(count, count_max)).astype(int).tolist())) if count else []
