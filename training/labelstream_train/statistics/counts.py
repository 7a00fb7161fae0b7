"""True positives, false positives and false negatives of each label, for one sample or many draws at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class F1:
    """F1 of many draws: `each` is [draws, labels] with NaN for a label that never occurs; the rest [draws]."""

    each: np.ndarray
    macro: np.ndarray
    micro: np.ndarray
    weighted: np.ndarray


def one_hot(truth: np.ndarray, labels: int) -> np.ndarray:
    """[n] label places -> [n, labels] bool."""
    return truth[:, None] == np.arange(labels)


def given(scores: np.ndarray, thresholds: float | Sequence[float], is_multi_label: bool) -> np.ndarray:
    """[n, labels] bool: the predicted labels: the best one, or all that reach their threshold."""
    if is_multi_label:
        return scores >= np.asarray(thresholds)
    return one_hot(scores.argmax(axis=1), scores.shape[1])


def of_draws(guess: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(hits, guessed, wanted) of each label, [draws, labels] each; guess and wanted are [n, labels] bool.

    `weights` [draws, n] counts how often each text was drawn; one matrix product serves all draws.
    """
    together = np.concatenate([guess & wanted, guess, wanted], axis=1).astype(np.float32)
    hits, guessed, true = np.split((weights @ together).astype(np.float64), 3, axis=1)
    return hits, guessed, true


def f1(hits: np.ndarray, guessed: np.ndarray, wanted: np.ndarray) -> F1:
    """2 tp / (2 tp + fp + fn) for each label; macro leaves out labels neither present nor predicted."""
    total = guessed + wanted
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(total > 0, 2 * hits / total, np.nan)
        counted = (total > 0).sum(axis=1)
        macro = np.where(counted > 0, np.nansum(each, axis=1) / np.maximum(counted, 1), np.nan)
        micro = 2 * hits.sum(axis=1) / total.sum(axis=1)
        weighted = (np.nan_to_num(each) * wanted).sum(axis=1) / wanted.sum(axis=1)
    return F1(each, macro, micro, weighted)
