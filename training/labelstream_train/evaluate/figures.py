"""Figures of a model package on labelled texts, as the classifier would score them. No torch.

`python -m labelstream_train evaluate --package DIR --data FILE` prints them as JSON, one figure a line.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import metrics
from ..data.old import Example
from ..errors import UserError
from ..package.scorer import Scorer


def truth_of(scorer: Scorer, examples: Sequence[Example], place: Path) -> np.ndarray:
    """Label ids [texts]; a label that the package does not know is an error."""
    ids = {label: index for index, label in enumerate(scorer.labels)}
    unknown = sorted({example.label for example in examples} - set(ids))
    if unknown:
        raise UserError(f"evaluate on {place}: the package does not know the label {unknown[0]!r}")
    return np.array([ids[example.label] for example in examples])


def figures(logits: np.ndarray, truth: np.ndarray, temperature: float) -> dict[str, float]:
    """Accuracy with its 95 % interval, macro-F1, calibration error with and without the temperature."""
    tempered, plain = metrics.softmax(logits, temperature), metrics.softmax(logits)
    accuracy = metrics.accuracy(logits, truth)
    low, high = metrics.wilson(accuracy, len(truth))
    return {
        "n": len(truth),
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": metrics.macro_f1(logits, truth),
        "ece": metrics.ece(tempered, truth),
        "ece_without_temperature": metrics.ece(plain, truth),
        "nll": metrics.nll(tempered, truth),
        "nll_without_temperature": metrics.nll(plain, truth),
    }


def evaluate(package: Path, file: Path, examples: Sequence[Example], threads: int = 0) -> dict[str, float]:
    """`figures` of a package, with its speed in texts per second of wall time (load not counted)."""
    scorer = Scorer(package, threads=threads)
    truth = truth_of(scorer, examples, file)
    started = time.perf_counter()
    logits = scorer.logits([example.text for example in examples])
    seconds = time.perf_counter() - started
    return figures(logits, truth, scorer.temperature) | {"texts_per_second": len(examples) / seconds}
