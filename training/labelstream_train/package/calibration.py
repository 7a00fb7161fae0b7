"""Makes scores mean what they say: one temperature, fitted on held-out texts, and what is known of the scores then.

The curves are for whoever decides by the score or the margin of an answer: a threshold for abstaining today, a
cascade that asks a slower model where a fast one is unsure tomorrow.

Arrays: `logits` and `probabilities` [texts, labels]; `truth` [texts] label ids, or [texts, labels] of 0 and 1 when
multi-label.
"""

import math
from collections.abc import Callable

import numpy as np

from ..statistics import metrics

TEMPERATURES = (0.05, 20.0)
CURVE_POINTS = 20


def sigmoid(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """1 / (1 + exp(-z / t)) of each logit on its own, in 64 bits, without overflow."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    shrinking = np.exp(-np.abs(scaled))
    return np.where(scaled >= 0, 1.0, shrinking) / (1.0 + shrinking)


def binary_nll(logits: np.ndarray, truth: np.ndarray, temperature: float) -> float:
    """Mean negative log-likelihood of each text's each label, present or absent, in nats.

    log(1 + exp(-z)) for a present label and log(1 + exp(z)) for an absent one.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return float(np.logaddexp(0.0, np.where(truth > 0.5, -scaled, scaled)).mean())


def fit_temperature(logits: np.ndarray, truth: np.ndarray, is_multi_label: bool) -> float:
    """The temperature with the lowest negative log-likelihood, four digits: a few hundred texts know no more.

    Golden-section search on the logarithm; both likelihoods are convex in the inverse of the temperature, hence
    unimodal in it (Guo et al. 2017, section 4.2).
    """
    if not is_multi_label:
        return round(metrics.fit_temperature(logits, truth), 4)
    return round(_golden_section(lambda logarithm: binary_nll(logits, truth, math.exp(logarithm))), 4)


def ece(probabilities: np.ndarray, truth: np.ndarray, is_multi_label: bool) -> float:
    """Expected calibration error, 0..=1, 15 equal bins: of the best label, or of all labels' probabilities together."""
    if not is_multi_label:
        return metrics.ece(probabilities, truth)
    scores, present = probabilities.ravel(), np.asarray(truth).ravel()
    bins = np.minimum((scores * metrics.ECE_BINS).astype(int), metrics.ECE_BINS - 1)
    counts = np.bincount(bins, minlength=metrics.ECE_BINS)
    claimed = np.bincount(bins, scores, minlength=metrics.ECE_BINS)
    found = np.bincount(bins, present, minlength=metrics.ECE_BINS)
    return float(np.abs(claimed - found).sum() / counts.sum())


def describe(probabilities: np.ndarray, plain: np.ndarray, truth: np.ndarray, is_right: np.ndarray) -> dict:
    """`calibration` of labelstream.json. `plain` are the probabilities without the temperature; `is_right` [texts] says
    whether the package's answer is exactly the truth."""
    is_multi_label = np.ndim(truth) == 2
    ranked = np.sort(probabilities, axis=1)
    described = {
        "method": "temperature",
        "texts": len(truth),
        "ece_held_out": _digits(ece(probabilities, truth, is_multi_label)),
        "ece_held_out_without": _digits(ece(plain, truth, is_multi_label)),
        "score_curve": curve(ranked[:, -1], is_right),
    }
    if ranked.shape[1] > 1:
        described["margin_curve"] = curve(ranked[:, -1] - ranked[:, -2], is_right)
    return described


def curve(scores: np.ndarray, is_right: np.ndarray) -> list[dict[str, float]]:
    """How many texts reach a score, and how many of those have the right answer, at the score's quantiles.

    Each point is {at_least, coverage, accuracy}, ascending in `at_least`; the first has coverage 1. `at_least` is
    rounded down, so that the texts counted do reach it.
    """
    points: list[dict[str, float]] = []
    for quantile in np.linspace(0.0, 1.0, CURVE_POINTS, endpoint=False):
        at_least = math.floor(float(np.quantile(scores, quantile, method="lower")) * 1e6) / 1e6
        inside = scores >= at_least
        if points and at_least <= points[-1]["at_least"]:
            continue
        points.append(
            {"at_least": at_least, "coverage": _digits(inside.mean()), "accuracy": _digits(is_right[inside].mean())}
        )
    return points


def _golden_section(loss: Callable[[float], float]) -> float:
    ratio = (math.sqrt(5) - 1) / 2
    low, high = (math.log(end) for end in TEMPERATURES)
    while high - low > 1e-5:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)


def _digits(share: float) -> float:
    return round(float(share), 5)
