"""Accuracy lost if the same texts are written differently, paired by text."""

from collections.abc import Callable, Sequence

import numpy as np

from ..statistics.intervals import Draws, Estimate, bootstrap, paired_difference, share, with_width
from . import perturb
from .multi import sample_f1

Score = Callable[[Sequence[str]], np.ndarray]
"""Texts -> probabilities [texts, labels]."""


def sample(truth: np.ndarray, texts_max: int, seed: int) -> np.ndarray:
    """Places of at most `texts_max` texts, sorted; single-label ones in proportion to their labels."""
    if len(truth) <= texts_max:
        return np.arange(len(truth))
    dice = np.random.default_rng(seed)
    shuffled = dice.permutation(len(truth))
    if truth.ndim == 1:  # every k-th text, ordered by label, keeps the label proportions
        shuffled = shuffled[np.argsort(truth[shuffled], kind="stable")]
        return np.sort(shuffled[np.linspace(0, len(truth) - 1, texts_max).round().astype(int)])
    return np.sort(shuffled[:texts_max])


def measure(
    score: Score,
    texts: Sequence[str],
    truth: np.ndarray,
    thresholds: np.ndarray,
    draws: Draws,
) -> list[dict]:
    """One row a perturbation, over the texts that it changes; `truth` as `Parts.truth` gives it.

    `accuracy` is after the change (multi-label: mean F1 of the texts' label sets), `change` after minus before,
    `flips` the share of texts whose label (set) changes, right or wrong.
    """
    before = score(texts)
    rows = []
    for name in perturb.PERTURBATIONS:
        changed = perturb.apply(name, texts, draws.seed)
        places = [place for place, (old, new) in enumerate(zip(texts, changed, strict=True)) if old != new]
        if not places:
            continue
        after = score([changed[place] for place in places])
        example = min(places, key=lambda place: (len(texts[place]) < 20, len(texts[place])))
        row = {"name": name, "example": changed[example], "n": len(places)}
        rows.append(row | _row(before[places], after, truth[places], thresholds, draws))
    return rows


def _row(
    before: np.ndarray, after: np.ndarray, truth: np.ndarray, thresholds: np.ndarray, draws: Draws
) -> dict[str, Estimate]:
    if truth.ndim == 1:
        old, new = before.argmax(axis=1), after.argmax(axis=1)
        right = new == truth
        return {
            "accuracy": share(int(right.sum()), len(right)),
            "change": paired_difference(old == truth, right),
            "flips": share(int((old != new).sum()), len(right)),
        }
    old, new, wanted = before >= thresholds, after >= thresholds, truth.astype(bool)
    was, now = sample_f1(old, wanted), sample_f1(new, wanted)
    values = np.stack([now, now - was], axis=1)
    accuracy, change = bootstrap(lambda weights: weights @ values / len(now), np.zeros(len(now), int), draws)
    if np.array_equal(now, was):  # the bootstrap cannot bound a change that never occurs: use that of whole label sets
        change = paired_difference(now > 0, now > 0)
    flips = share(int((old != new).any(axis=1).sum()), len(now))
    return {"accuracy": with_width(accuracy, len(now)), "change": change, "flips": flips}
