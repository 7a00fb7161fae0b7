"""Calibrates scores with one temperature, fitted on held-out texts, and summarises the calibrated scores.

The curves are for decisions by score or margin: a threshold for abstaining, or a cascade that passes unsure texts on to
a slower model.

Arrays: `logits` and `probabilities` [texts, labels]; `truth` [texts] label ids, or [texts, labels] of 0 and 1 when
multi-label.
"""

import math

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
    """The temperature with the lowest negative log-likelihood, to four digits: a few hundred texts support no more.

    Both likelihoods are convex in the inverse of the temperature, hence unimodal in its logarithm (Guo et al. 2017,
    section 4.2), which is searched.
    """
    from scipy.optimize import minimize_scalar  # not needed to run a package

    def loss(logarithm: float) -> float:
        temperature = math.exp(logarithm)
        if is_multi_label:
            return binary_nll(logits, truth, temperature)
        return metrics.nll(metrics.softmax(logits, temperature), truth)

    low, high = map(math.log, TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return round(math.exp(found.x), 4)


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
    whether the package's answer is right."""
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
    """The share of texts that reach a score, and the accuracy of those, at quantiles of the score.

    Each point is {at_least, coverage, accuracy}, ascending in `at_least`; the first has coverage 1. `at_least` is
    rounded down, so that all counted texts reach it.
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


def _digits(share: float) -> float:
    return round(float(share), 5)
