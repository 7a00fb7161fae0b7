"""Calibration: whether texts with a score of 0.8 are right in 80 of 100 cases; error and reliability plot."""

import numpy as np

from ..statistics.intervals import Statistic, share

BINS = 15
"""The number that most published figures use."""


def even_bins(scores: np.ndarray) -> np.ndarray:
    """The equal-width bin of each score 0..=1; a score of 1 falls into the last."""
    return np.minimum((scores * BINS).astype(int), BINS - 1)


def adaptive_bins(scores: np.ndarray) -> np.ndarray:
    """Bins of equal count (Nixon et al. 2019, adaptive calibration error); ties may be in different bins."""
    places = np.empty(len(scores), int)
    places[np.argsort(scores, kind="stable")] = np.arange(len(scores)) * BINS // max(1, len(scores))
    return places


def error(scores: np.ndarray, right: np.ndarray, bins: np.ndarray, texts: np.ndarray | None = None) -> Statistic:
    """Expected calibration error (Guo et al. 2017, equation 3) as a statistic over texts.

    Sum over bins of share * |share right - mean score|. `scores`, `right` and `bins` are [pairs]; `texts` says which
    text a pair belongs to (multi-label: many pairs a text), otherwise pair i is text i.
    """
    items = len(scores) if texts is None else int(texts.max()) + 1
    places = np.arange(len(scores)) if texts is None else texts
    surplus = np.zeros((items, BINS))
    np.add.at(surplus, (places, bins), right - scores)
    pairs = np.bincount(places, minlength=items).astype(float)

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.abs(weights @ surplus).sum(axis=1) / (weights @ pairs)

    return statistic


def reliability(scores: np.ndarray, right: np.ndarray) -> list[dict]:
    """One row for each equal-width bin that is not empty: its edges, mean score, and share right (Wilson)."""
    bins = even_bins(scores)
    rows = []
    for place in range(BINS):
        inside = bins == place
        count = int(inside.sum())
        if count:
            rows.append(
                {
                    "low": place / BINS,
                    "high": (place + 1) / BINS,
                    "n": count,
                    "confidence": float(scores[inside].mean()),
                    "accuracy": share(int(right[inside].sum()), count),
                }
            )
    return rows


def error_by_chance(scores: np.ndarray, seed: int, repeats: int = 200) -> float:
    """The calibration error that a perfectly calibrated model of these scores has on average, at this size.

    A calibration error is never 0 on finite data: at or below this value, nothing is wrong with the model.
    """
    dice = np.random.default_rng(seed)
    bins = even_bins(scores)
    right = dice.random((repeats, len(scores))) < scores
    inside = (bins[:, None] == np.arange(BINS)).astype(float)
    return float((np.abs((right - scores) @ inside).sum(axis=1) / len(scores)).mean())
