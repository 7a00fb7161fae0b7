"""Texts that the package gets wrong, the most confident first: the best place to start an error analysis.

They are texts of the data with personal data masked; `evaluate.examples_max = 0` keeps them out of the report.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.examples import Example
from ..data.personal import shorten

PAIRS, PAIR_EXAMPLES = 20, 2
"""So many of the most frequent confusions get so many texts each, beside the most confident mistakes."""


def measure(
    examples: Sequence[Example], probabilities: np.ndarray, truth: np.ndarray, labels: Sequence[str], count_max: int
) -> list[dict[str, Any]]:
    """Wrong predictions by descending score: {text, truth, guess, score, truth_score}. Single-label only."""
    if count_max == 0:
        return []
    best = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(best != truth)
    ordered = wrong[np.argsort(-probabilities[wrong, best[wrong]], kind="stable")]
    pairs = Counter((int(truth[place]), int(best[place])) for place in ordered)
    frequent = sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:PAIRS]
    seen: Counter[tuple[int, int]] = Counter()
    kept = []
    for rank, place in enumerate(ordered):
        pair = (int(truth[place]), int(best[place]))
        seen[pair] += 1
        if rank < count_max or (pair in frequent and seen[pair] <= PAIR_EXAMPLES):
            kept.append(place)
    return [
        {
            "text": shorten(examples[place].text),
            "truth": labels[truth[place]],
            "guess": labels[best[place]],
            "score": float(probabilities[place, best[place]]),
            "truth_score": float(probabilities[place, truth[place]]),
        }
        for place in kept
    ]
