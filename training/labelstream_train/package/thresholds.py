"""Chooses `thresholds` of labelstream.json on held-out texts: below its threshold, a label is not assigned.

Single-label: one minimum for the best score, from the precision or coverage that the user wants. Multi-label: one
threshold per label, for the best F1. The best threshold of a rare label is mostly chance, so each is shrunk towards the
best common threshold, and is used only if cross-validation shows a gain.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..statistics import metrics
from .settings import ExportSettings

PLAIN = 0.5
"""The classifier's default threshold for multi-label packages."""

FOLDS = 5
DIGITS = 4
"""Decimals of a threshold; more would only fit single held-out texts."""


@dataclass(frozen=True, slots=True)
class PerLabel:
    """`thresholds` [labels]; `macro_f1` of each candidate by five-fold cross-validation."""

    thresholds: np.ndarray
    chosen: str
    macro_f1: dict[str, float]


def for_coverage(scores: np.ndarray, coverage: float) -> float:
    """The score that `coverage` of the texts reach, rounded down to four digits."""
    place = min(len(scores), max(1, math.ceil(coverage * len(scores))))
    return _floor(float(np.sort(scores)[::-1][place - 1]))


def for_precision(scores: np.ndarray, is_right: np.ndarray, precision: float) -> float:
    """The lowest score above which the lower end of the precision's 95 % interval is at least `precision`.

    The plain precision would be too optimistic: the best of many thresholds is partly luck.
    """
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(is_right[order])
    best = 0.0
    floor = None
    for count in range(1, len(order) + 1):
        is_end = count == len(order) or scores[order[count]] < scores[order[count - 1]]
        if not is_end:
            continue
        sure = metrics.wilson(float(right[count - 1]) / count, count)[0]
        best = max(best, sure)
        if sure >= precision:
            floor = float(scores[order[count - 1]])
    if floor is None:
        raise UserError(
            f"set export.abstain_precision = {precision}: the {len(order)} held-out texts cannot show more than "
            f"{best:.3f} at any score; lower it, or hold out more texts"
        )
    return _floor(floor)


def floor_of_best(scores: np.ndarray, is_right: np.ndarray, settings: ExportSettings) -> float | None:
    """`abstain_below` for the settings, from the best scores [texts]; None if they set none."""
    if settings.abstain_coverage is not None:
        return for_coverage(scores, settings.abstain_coverage)
    if settings.abstain_precision is not None:
        return for_precision(scores, is_right, settings.abstain_precision)
    return None


def per_label(probabilities: np.ndarray, truth: np.ndarray, texts_min: int, weight: float) -> PerLabel:
    """Thresholds from probabilities and 0-1 truth, both [texts, labels].

    A label with n >= `texts_min` texts and best threshold t gets (n t + weight g) / (n + weight), where g is the one
    threshold with the best macro-F1; the others get g. Compares that with g for all and 0.5 for all by macro-F1 over
    five folds; the simpler one wins ties.
    """
    choices = {
        "0.5": lambda p, y: np.full(p.shape[1], PLAIN),
        "common": lambda p, y: np.full(p.shape[1], common(p, y)),
        "per label": lambda p, y: _shrunken(p, y, texts_min, weight),
    }
    folds = np.arange(len(truth)) % FOLDS
    figures = {}
    for name, choose in choices.items():
        given = np.zeros(truth.shape, bool)
        for fold in range(FOLDS):
            inside = folds == fold
            if inside.any() and not inside.all():
                given[inside] = probabilities[inside] >= choose(probabilities[~inside], truth[~inside])
        figures[name] = macro_f1(given, truth)
    chosen = max(choices, key=lambda name: figures[name])  # of equals the first, which is the simplest
    thresholds = choices[chosen](probabilities, truth)
    return PerLabel(np.round(thresholds, DIGITS), chosen, {name: round(value, 5) for name, value in figures.items()})


def macro_f1(given: np.ndarray, truth: np.ndarray) -> float:
    """Mean over labels of 2 tp / (2 tp + fp + fn); labels neither present nor predicted are left out."""
    present = np.asarray(truth) > 0.5
    hits = (given & present).sum(axis=0)
    total = given.sum(axis=0) + present.sum(axis=0)
    seen = total > 0
    return float((2 * hits[seen] / total[seen]).mean()) if seen.any() else 0.0


def common(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The one threshold of 0.05, 0.06, ... 0.95 with the best macro-F1; of equals the nearest to 0.5."""
    candidates = np.arange(5, 96) / 100
    figures = [macro_f1(probabilities >= candidate, truth) for candidate in candidates]
    best = max(figures)
    return float(min((c for c, f in zip(candidates, figures, strict=True) if f == best), key=lambda c: abs(c - PLAIN)))


def best_of_label(scores: np.ndarray, present: np.ndarray) -> float:
    """The threshold with the best F1 of one label: the middle between two neighbouring scores."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(present[order] > 0.5)
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + hits[-1])
    is_end = np.append(ranked[1:] < ranked[:-1], True)
    place = int(np.argmax(np.where(is_end, f1, -1.0)))
    below = ranked[place + 1] if place + 1 < len(ranked) else 0.0
    return float((ranked[place] + below) / 2)


def _shrunken(probabilities: np.ndarray, truth: np.ndarray, texts_min: int, weight: float) -> np.ndarray:
    towards = common(probabilities, truth)
    thresholds = np.full(probabilities.shape[1], towards)
    for label, count in enumerate((truth > 0.5).sum(axis=0)):
        if count >= texts_min:
            own = best_of_label(probabilities[:, label], truth[:, label])
            thresholds[label] = (count * own + weight * towards) / (count + weight)
    return thresholds


def _floor(score: float) -> float:
    """Rounds down, so that a text with this exact score still reaches it."""
    return math.floor(score * 10**DIGITS) / 10**DIGITS
