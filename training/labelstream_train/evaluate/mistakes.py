"""Texts that the package gets wrong, the surest first: what to look at before anything else.

They are texts of the data, with personal data masked; `evaluate.examples_max = 0` keeps them out of the report.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.examples import Example
from ..validate.finding import shorten

PAIR_EXAMPLES = 2
"""Texts shown for each of the most frequent confusions."""


def measure(
    examples: Sequence[Example], probabilities: np.ndarray, truth: np.ndarray, labels: Sequence[str], count_max: int
) -> list[dict[str, Any]]:
    """Wrong answers by falling score: {text, truth, guess, score, truth_score}. Single-label only."""
    if count_max == 0:
        return []
    best = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(best != truth)
    ordered = wrong[np.argsort(-probabilities[wrong, best[wrong]], kind="stable")]
    pairs: dict[tuple[int, int], int] = {}
    kept = []
    for place in ordered:
        pair = (int(truth[place]), int(best[place]))
        pairs[pair] = pairs.get(pair, 0) + 1
        if len(kept) < count_max or pairs[pair] <= PAIR_EXAMPLES:
            kept.append(place)
    return [
        {
            "text": shorten(examples[place].text),
            "truth": labels[truth[place]],
            "guess": labels[best[place]],
            "score": float(probabilities[place, best[place]]),
            "truth_score": float(probabilities[place, truth[place]]),
        }
        for place in kept[: count_max + PAIR_EXAMPLES * 10]
    ]
