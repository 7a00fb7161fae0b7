"""Metrics of slices of the test texts: where the model is worse than on all texts, and whether that is chance.

Slices come from the texts (length, language, script), from the frequency of their label in train, and from the data's
own slice columns. The tests are corrected for the number of slices (Benjamini and Hochberg), as among thirty slices one
or two look bad by chance.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import false_discovery_control, fisher_exact, mannwhitneyu

from ..data.examples import Example
from ..data.script import script
from ..statistics.intervals import Draws, Estimate, bootstrap, difference, share, with_width

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LENGTHS = (5, 10, 20, 40, 80)
"""Upper edges in words."""

LANGUAGE_CHARACTERS_MIN = 20
"""Shorter ASCII texts have no recognisable language; other letters tell more."""

LANGUAGE_PROBABILITY_MIN = 0.9

SLICES_MAX = 40
"""Most values of a slice column; the rest is `other`, or a column of ids would fill the report."""


def memberships(examples: Sequence[Example], label_counts: Mapping[str, int]) -> dict[str, list[str | None]]:
    """Slice name -> value of each text; None: in no slice. `label_counts` are texts in train, empty if unknown."""
    found: dict[str, list[str | None]] = {
        "length": [length(each.text) for each in examples],
        "language": _most_common([language(each.text) for each in examples]),
        "script": [script(each.text[:400]).lower() for each in examples],
    }
    if label_counts:
        found["label in train"] = _frequencies(examples, label_counts)
    for name in sorted({name for each in examples for name in each.slices}):
        found[name] = _most_common([each.slices.get(name) for each in examples])
    return found


def length(text: str) -> str:
    """The class of a text by its number of words."""
    words, low = len(text.split()), 1
    for high in LENGTHS:
        if words <= high:
            return f"{low if high > LENGTHS[0] else 0} to {high} words"
        low = high + 1
    return f"more than {LENGTHS[-1]} words"


def language(text: str) -> str | None:
    """ISO 639 code; None if the text is too short or the guess uncertain."""
    code, probability = _identifier().classify(text[:400])
    is_long_enough = len(text) >= LANGUAGE_CHARACTERS_MIN or not text.isascii()
    return code if is_long_enough and probability >= LANGUAGE_PROBABILITY_MIN else None


@cache
def _identifier() -> "LanguageIdentifier":
    """Loaded once: loading takes longer than a thousand texts."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def measure(right: np.ndarray, members: Mapping[str, Sequence[str | None]], texts_min: int, draws: Draws) -> list[dict]:
    """One row per slice. `right` is [texts]: bool (accuracy), or F1 of each text when multi-label."""
    rows = []
    for name, values in members.items():
        held = sorted({value for value in values if value is not None}, key=_natural)
        for value in held if len(held) > 1 else []:
            inside = np.array([each == value for each in values])
            rows.append({"slice": name, "value": value} | _row(right, inside, texts_min, draws))
    adjusted = false_discovery_control([row["p"] for row in rows]) if rows else []
    return [row | {"p_adjusted": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def _row(right: np.ndarray, inside: np.ndarray, texts_min: int, draws: Draws) -> dict:
    count = int(inside.sum())
    if right.dtype == bool:
        estimate, gap, p = _of_shares(right, inside)
    else:
        estimate, gap, p = _of_means(right, inside, draws)
    figure = "accuracy" if right.dtype == bool else "sample_f1"
    return {"n": count, "figure": figure, "estimate": estimate, "gap": gap, "p": p, "is_small": count < texts_min}


def _of_shares(right: np.ndarray, inside: np.ndarray) -> tuple[Estimate, Estimate, float]:
    """Slice minus all texts is (1 - its share) times slice minus rest, which are independent."""
    hits, count = int(right[inside].sum()), int(inside.sum())
    rest_hits, rest = int(right[~inside].sum()), int((~inside).sum())
    against, outside = difference(hits, count, rest_hits, rest), rest / len(right)
    gap = Estimate(*(outside * each for each in (against.value, against.low, against.high)), count, "newcombe")
    return share(hits, count), gap, float(fisher_exact([[hits, count - hits], [rest_hits, rest - rest_hits]]).pvalue)


def _of_means(right: np.ndarray, inside: np.ndarray, draws: Draws) -> tuple[Estimate, Estimate, float]:
    def statistic(weights: np.ndarray) -> np.ndarray:
        part = (weights * inside) @ right / (weights @ inside.astype(float))
        return np.stack([part, part - weights @ right / weights.sum(axis=1)], axis=1)

    estimate, gap = (
        Estimate(each.value, each.low, each.high, int(inside.sum()), each.method)
        for each in bootstrap(statistic, inside.astype(int), draws)
    )
    p = float(mannwhitneyu(right[inside], right[~inside]).pvalue)
    return with_width(estimate, estimate.n), gap, p if np.isfinite(p) else 1.0  # all texts alike


def _frequencies(examples: Sequence[Example], label_counts: Mapping[str, int]) -> list[str | None]:
    """Labels in three groups of about equal size, by number of training texts."""
    ordered = sorted(label_counts.values())
    low, high = ordered[len(ordered) // 3], ordered[2 * len(ordered) // 3]
    if ordered[0] == ordered[-1]:
        return [None] * len(examples)

    def group(example: Example) -> str | None:
        if not example.labels:
            return None
        rarest = min(label_counts.get(label, 0) for label in example.labels)
        return (
            f"up to {low} texts"
            if rarest <= low
            else f"{low + 1} to {high} texts"
            if rarest <= high
            else f"over {high} texts"
        )

    return [group(each) for each in examples]


def _most_common(values: list[str | None]) -> list[str | None]:
    counts = Counter(value for value in values if value is not None)
    kept = {value for value, _ in counts.most_common(SLICES_MAX)}
    return [value if value is None or value in kept else "other" for value in values]


def _natural(value: str) -> tuple:
    """Sorts "6 to 10" after "0 to 5" and before "11 to 20", and "more than 80" last."""
    digits = "".join(each if each.isdigit() else " " for each in value).split()
    return (value.startswith(("more", "over")), int(digits[0]) if digits else 0, value)
