"""Metrics of a classifier that assigns one label to each text.

`probabilities` is [texts, labels] after the temperature, `truth` [texts] label places.
"""

from collections.abc import Sequence

import numpy as np

from ..statistics import counts
from ..statistics.intervals import Draws, Estimate, bootstrap, share, with_width
from . import calibration

TOPS = (3, 5, 10)
CONFUSIONS_MAX = 20


def estimates(
    probabilities: np.ndarray, untempered: np.ndarray, truth: np.ndarray, draws: Draws
) -> dict[str, Estimate]:
    """The overall metrics, by their names in report.json. Draws are stratified by true label."""
    count, labels = probabilities.shape
    wanted = counts.one_hot(truth, labels)
    guess = counts.given(probabilities, 0.5, is_multi_label=False)
    own = probabilities[np.arange(count), truth]
    means = np.stack([-np.log(np.maximum(own, 1e-300)), ((probabilities - wanted) ** 2).sum(axis=1)], axis=1)

    def plain(weights: np.ndarray) -> np.ndarray:
        f1 = counts.f1(*counts.of_draws(guess, wanted, weights))
        return np.column_stack([f1.macro, f1.micro, f1.weighted, weights @ means / weights.sum(axis=1, keepdims=True)])

    names = ("macro_f1", "micro_f1", "weighted_f1", "nll", "brier")
    found = {"accuracy": share(int((probabilities.argmax(axis=1) == truth).sum()), count)}
    found |= dict(zip(names, bootstrap(plain, truth, draws), strict=True))
    found |= {name: with_width(found[name], count) for name in names if name.endswith("f1")}
    ranks = (probabilities > own[:, None]).sum(axis=1)
    found |= {f"top_{top}": share(int((ranks < top).sum()), count) for top in TOPS if top < labels}
    return found | _calibration(probabilities, untempered, truth, draws)


def _calibration(
    probabilities: np.ndarray, untempered: np.ndarray, truth: np.ndarray, draws: Draws
) -> dict[str, Estimate]:
    right = probabilities.argmax(axis=1) == truth
    tempered, plain = probabilities.max(axis=1), untempered.max(axis=1)
    errors = {
        "calibration_error": calibration.error(tempered, right, calibration.even_bins(tempered)),
        "calibration_error_adaptive": calibration.error(tempered, right, calibration.adaptive_bins(tempered)),
        "calibration_error_untempered": calibration.error(plain, right, calibration.even_bins(plain)),
    }
    return {name: bootstrap(each, truth, draws, centred=True)[0] for name, each in errors.items()}


def classes(probabilities: np.ndarray, truth: np.ndarray, labels: Sequence[str], draws: Draws) -> list[dict]:
    """One row per label: precision and recall with Wilson's intervals, F1 bootstrapped."""
    wanted = counts.one_hot(truth, len(labels))
    guess = counts.given(probabilities, 0.5, is_multi_label=False)
    return class_rows(guess, wanted, labels, truth, draws)


def class_rows(
    guess: np.ndarray, wanted: np.ndarray, labels: Sequence[str], strata: np.ndarray, draws: Draws
) -> list[dict]:
    """The rows of `classes` from [texts, labels] bool; also used when multi-label."""
    each = bootstrap(lambda weights: counts.f1(*counts.of_draws(guess, wanted, weights)).each, strata, draws)
    hits, guessed, true = (part.sum(axis=0).astype(int) for part in (guess & wanted, guess, wanted))
    return [
        {
            "label": label,
            "n": int(true[place]),
            "guessed": int(guessed[place]),
            "precision": share(int(hits[place]), int(guessed[place])),
            "recall": share(int(hits[place]), int(true[place])),
            "f1": with_width(each[place], (guessed[place] + true[place]) / 2),
        }
        for place, label in enumerate(labels)
    ]


def confusion_matrix(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """[labels, labels] counts, rows truth, columns guess."""
    labels = probabilities.shape[1]
    return np.bincount(truth * labels + probabilities.argmax(axis=1), minlength=labels**2).reshape(labels, labels)


def confusions(matrix: np.ndarray, labels: Sequence[str]) -> list[dict]:
    """The largest confusions: true label, prediction, and the share of the label's texts."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS_MAX]
    pairs = [divmod(int(place), len(labels)) for place in order]
    return [
        {
            "truth": labels[row],
            "guess": labels[column],
            "n": int(wrong[row, column]),
            "share": share(int(wrong[row, column]), int(matrix[row].sum())),
        }
        for row, column in pairs
        if wrong[row, column]
    ]
