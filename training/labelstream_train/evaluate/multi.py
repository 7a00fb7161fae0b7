"""Metrics of a classifier that assigns any number of labels to each text.

`probabilities` is [texts, labels], `wanted` [texts, labels] bool; a label is assigned if its probability reaches
its threshold. The bootstrap draws texts, as the labels of one text are dependent.
"""

from collections.abc import Sequence

import numpy as np

from ..statistics import counts, ranking
from ..statistics.intervals import Draws, Estimate, bootstrap, share, with_width
from . import calibration
from .single import class_rows


def estimates(
    probabilities: np.ndarray,
    untempered: np.ndarray,
    wanted: np.ndarray,
    thresholds: np.ndarray,
    draws: Draws,
) -> dict[str, Estimate]:
    """The overall metrics, by their names in report.json."""
    count, labels = probabilities.shape
    guess = probabilities >= thresholds
    together = np.zeros(count, int)
    clipped = np.clip(probabilities, 1e-15, 1 - 1e-15)
    means = np.stack(
        [
            -np.where(wanted, np.log(clipped), np.log1p(-clipped)).mean(axis=1),
            ((probabilities - wanted) ** 2).mean(axis=1),
            sample_f1(guess, wanted),
            ranking_loss(probabilities, wanted),
        ],
        axis=1,
    )

    def plain(weights: np.ndarray) -> np.ndarray:
        f1 = counts.f1(*counts.of_draws(guess, wanted, weights))
        return np.column_stack([f1.macro, f1.micro, f1.weighted, weights @ means / count])

    ranked = [ranking.statistic(probabilities[:, place], wanted[:, place]) for place in range(labels)]

    def areas(weights: np.ndarray) -> np.ndarray:
        each = np.stack([statistic(weights) for statistic in ranked])  # [labels, draws, 3]
        known = (~np.isnan(each)).sum(axis=0)  # skips labels that no drawn text has, or that all have
        return (np.nansum(each, axis=0) / np.where(known > 0, known, np.nan))[:, [1, 0]]

    found = {"accuracy": share(int((guess == wanted).all(axis=1).sum()), count)}
    names = ("macro_f1", "micro_f1", "weighted_f1", "nll", "brier", "sample_f1", "ranking_loss")
    found |= dict(zip(names, bootstrap(plain, together, draws), strict=True))
    found |= dict(zip(("mean_average_precision", "macro_auroc"), bootstrap(areas, together, draws), strict=True))
    found |= {name: with_width(each, count) for name, each in found.items() if name not in ("accuracy", "nll", "brier")}
    return found | _calibration(probabilities, untempered, wanted, draws)


def sample_f1(guess: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """[texts] F1 of each text's label set; 1 if there is none to assign and none is assigned."""
    total = guess.sum(axis=1) + wanted.sum(axis=1)
    return np.where(total > 0, 2 * (guess & wanted).sum(axis=1) / np.maximum(total, 1), 1.0)


def ranking_loss(probabilities: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """[texts] share of (wanted, other) pairs of labels in the wrong order, ties wrong; 0 if there is no pair."""
    wrong = np.zeros(len(probabilities))
    for place in range(probabilities.shape[1]):
        above = (probabilities >= probabilities[:, place, None]) & ~wanted
        wrong += np.where(wanted[:, place], above.sum(axis=1), 0)
    pairs = wanted.sum(axis=1) * (~wanted).sum(axis=1)
    return np.where(pairs > 0, wrong / np.maximum(pairs, 1), 0.0)


def _calibration(
    probabilities: np.ndarray, untempered: np.ndarray, wanted: np.ndarray, draws: Draws
) -> dict[str, Estimate]:
    """Calibration over all pairs of text and label."""
    count, labels = probabilities.shape
    texts, right = np.repeat(np.arange(count), labels), wanted.ravel()
    pairs, plain = probabilities.ravel(), untempered.ravel()
    errors = {
        "calibration_error": calibration.error(pairs, right, calibration.even_bins(pairs), texts),
        "calibration_error_adaptive": calibration.error(pairs, right, calibration.adaptive_bins(pairs), texts),
        "calibration_error_untempered": calibration.error(plain, right, calibration.even_bins(plain), texts),
    }
    together = np.zeros(count, int)
    return {name: bootstrap(each, together, draws, centred=True)[0] for name, each in errors.items()}


def classes(
    probabilities: np.ndarray,
    wanted: np.ndarray,
    thresholds: np.ndarray,
    labels: Sequence[str],
    draws: Draws,
) -> list[dict]:
    """The rows of `single.class_rows` with threshold, average precision, AUROC and calibration of each label."""
    together = np.zeros(len(wanted), int)
    rows = class_rows(probabilities >= thresholds, wanted, labels, together, draws)
    ranked = [ranking.statistic(probabilities[:, place], wanted[:, place]) for place in range(len(rows))]
    errors = [
        calibration.error(column, right, calibration.even_bins(column))
        for column, right in zip(probabilities.T, wanted.T, strict=True)
    ]
    areas = bootstrap(lambda weights: np.hstack([each(weights)[:, :2] for each in ranked]), together, draws)
    off = bootstrap(lambda weights: np.stack([each(weights) for each in errors], axis=1), together, draws, True)
    rarer = np.minimum(wanted.sum(axis=0), (~wanted).sum(axis=0))
    for place, row in enumerate(rows):
        row |= {
            "threshold": float(thresholds[place]),
            "average_precision": with_width(areas[2 * place + 1], rarer[place]),
            "auroc": with_width(areas[2 * place], rarer[place]),
            "calibration_error": off[place],
        }
    return rows
