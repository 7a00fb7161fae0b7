"""Metrics of each epoch on the held-out texts, and the choice of the best epoch. Needs no torch."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

QUALITIES = ("accuracy", "mean_average_precision")


def figures(logits: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """`nll` (nats per text, or per label when multi-label) and the quality, of which higher is better.

    The quality is accuracy; when multi-label (`truth` is [texts, labels]), the mean average precision of the
    labels that occur, which needs no threshold.
    """
    logits = logits.astype(np.float64)
    if truth.ndim == 2:
        nll = float((np.logaddexp(0.0, logits) - truth * logits).mean())
        each = [average_precision(logits[:, label], truth[:, label]) for label in np.flatnonzero(truth.any(axis=0))]
        return {"mean_average_precision": float(np.mean(each)) if each else 0.0, "nll": nll}
    nll = float(-log_softmax(logits, axis=1)[np.arange(len(truth)), truth].mean())
    return {"accuracy": float((logits.argmax(axis=1) == truth).mean()), "nll": nll}


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Mean precision at the rank of each text that has the label; equal scores keep their order."""
    hits = truth[np.argsort(-scores, kind="stable")] > 0
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def quality_name(row: dict) -> str:
    """The name of the quality in a row of the history."""
    return next(name for name in QUALITIES if f"plain_{name}" in row)


def of_epochs(history: Sequence[dict]) -> list[dict]:
    """{epoch, weights, quality, nll} of each epoch: the better of plain and averaged weights; ties by NLL."""
    found = []
    for row in history:
        quality = quality_name(row)
        both = [
            {"epoch": row["epoch"], "weights": name, "quality": row[f"{name}_{quality}"], "nll": row[f"{name}_nll"]}
            for name in ("plain", "average")
            if f"{name}_{quality}" in row
        ]
        found.append(max(both, key=lambda each: (each["quality"], -each["nll"])))
    return found


def choose(history: Sequence[dict], texts: int) -> dict:
    """The latest epoch whose held-out accuracy is within one standard error of the best epoch's.

    This is the one-standard-error rule (Breiman et al. 1984, section 3.4.3): a few hundred held-out texts cannot tell
    epochs apart that differ by two or three texts. The best one may only be lucky; a later one was trained at a smaller
    learning rate. `texts` is the number held out. Mean average precision has no such simple error: there the best
    epoch is chosen, the latest of equal ones.
    """
    found = of_epochs(history)
    top = max(each["quality"] for each in found)
    is_accuracy = quality_name(history[0]) == "accuracy"
    error = math.sqrt(top * (1.0 - top) / texts) if is_accuracy else 0.0
    return [each for each in found if each["quality"] >= top - error][-1]


def epochs_without_gain(history: Sequence[dict], figure: str) -> int:
    """Epochs since the best one so far, by `quality` or `nll`."""
    found = of_epochs(history)
    values = [each["quality"] if figure == "quality" else -each["nll"] for each in found]
    return len(values) - 1 - int(np.argmax(values)) if values else 0
