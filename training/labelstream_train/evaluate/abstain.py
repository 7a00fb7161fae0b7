"""Measures abstaining: the accuracy of the answers if uncertain ones are withheld.

The same curves serve a cascade: which texts the fast model keeps, and which go to the slow one.
"""

import numpy as np

from ..statistics.intervals import Draws, Statistic, bootstrap, share, with_width

COVERAGES = (1.0, 0.99, 0.975, 0.95, 0.925, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
ANSWERED_MIN = 20
"""Fewest answers above a chosen threshold: the accuracy of fewer means nothing."""


def margins(probabilities: np.ndarray) -> np.ndarray:
    """[texts] the highest probability minus the second highest."""
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0]


def curve(scores: np.ndarray, right: np.ndarray, draws: Draws) -> dict:
    """Coverage and accuracy at thresholds of `scores` [texts], and the area under error over coverage.

    The area (AURC, Geifman and El-Yaniv 2017) is the mean error of the n most certain answers, over all n.
    """
    count = len(scores)
    ordered = np.sort(scores)[::-1]
    points = []
    for coverage in COVERAGES:
        threshold = float(ordered[max(0, round(coverage * count) - 1)])
        if not points or threshold > points[-1]["threshold"]:
            points.append({"threshold": threshold} | at(scores, right, threshold))
    area = bootstrap(_area(scores, right), np.zeros(count, int), draws)[0]
    return {"area": with_width(area, count), "points": points}


def at(scores: np.ndarray, right: np.ndarray, threshold: float) -> dict:
    """Coverage and accuracy if texts with a score below `threshold` are not answered."""
    kept = scores >= threshold
    return {
        "coverage": share(int(kept.sum()), len(scores)),
        "accuracy": share(int((kept & right).sum()), int(kept.sum())),
    }


def threshold_for(scores: np.ndarray, right: np.ndarray, accuracy: float) -> float | None:
    """The lowest threshold above which answers reach the wanted accuracy; None if there is none.

    Choose it on held-out texts: on the texts that it is reported on, it would look better than it is.
    """
    order = np.argsort(-scores, kind="stable")
    share_right = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    ends = np.append(scores[order][1:] != scores[order][:-1], True)
    fine = np.flatnonzero(ends & (share_right >= accuracy) & (np.arange(1, len(order) + 1) >= ANSWERED_MIN))
    return float(scores[order][fine[-1]]) if len(fine) else None


def _area(scores: np.ndarray, right: np.ndarray) -> Statistic:
    order = np.argsort(-scores, kind="stable")
    wrong = (~right[order]).astype(np.float32)

    def statistic(weights: np.ndarray) -> np.ndarray:
        drawn = weights[:, order]
        answered = np.cumsum(drawn, axis=1, dtype=np.float64)
        errors = np.cumsum(drawn * wrong, axis=1, dtype=np.float64)
        risk = np.divide(errors, answered, out=np.zeros_like(errors), where=answered > 0)
        return (drawn * risk).sum(axis=1) / answered[:, -1]

    return statistic
