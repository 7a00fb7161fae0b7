"""Metrics of a classifier from its logits or probabilities. Needs numpy only.

Arrays: `logits` and `probabilities` are [texts, labels] float, `truth` is [texts] int.
"""

import math

import numpy as np

ECE_BINS = 15
"""Equal-width confidence bins, the number that most published figures use."""


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities of each row after dividing by `temperature`, in 64 bits."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    raised = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def accuracy(scores: np.ndarray, truth: np.ndarray) -> float:
    """Share of rows whose highest score is at the true label, 0..=1."""
    return float((scores.argmax(axis=1) == truth).mean())


def macro_f1(scores: np.ndarray, truth: np.ndarray) -> float:
    """Mean over labels of 2 tp / (2 tp + fp + fn); a label neither present nor predicted is left out."""
    guess = scores.argmax(axis=1)
    each = []
    for label in range(scores.shape[1]):
        hits = int(((guess == label) & (truth == label)).sum())
        total = int((guess == label).sum() + (truth == label).sum())
        if total:
            each.append(2 * hits / total)
    return float(np.mean(each))


def nll(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative log-likelihood of the true label, in nats."""
    chosen = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chosen, 1e-300)).mean())


def ece(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Expected calibration error of the top label, 0..=1 (Guo et al. 2017, equation 3).

    Sum over bins of share * |accuracy - mean confidence|. Empty bins count nothing; confidence 1 is in
    the last bin.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    total = 0.0
    for index in range(ECE_BINS):
        inside = bins == index
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(total)


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927), which stays inside 0..=1 near its ends."""
    z = 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return centre - half, centre + half
