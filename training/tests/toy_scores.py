"""Scores and true labels that depend on each other: what tests of metrics compute on."""

import numpy as np

from labelstream_train.statistics.metrics import softmax


def toy(count: int = 400, labels: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and true labels that hang together."""
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, labels, count)
    logits = dice.normal(size=(count, labels)) + 1.5 * (truth[:, None] == np.arange(labels))
    return softmax(logits), truth


def toy_sets(count: int = 300, labels: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and label sets that hang together; the last label is rare."""
    dice = np.random.default_rng(seed)
    wanted = dice.random((count, labels)) < np.array([0.5, 0.4, 0.3, 0.05])[:labels]
    return 1 / (1 + np.exp(-(dice.normal(size=(count, labels)) + 2 * wanted - 1))), wanted
