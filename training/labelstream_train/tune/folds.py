"""What a trial is scored on: the held-out part, or, if that is small, all texts by cross-validation.

One of 86 held-out texts is more than a point of accuracy, so most trials would tie or differ by luck. With K folds a
trial trains K times, each time on the other folds, and is scored on all texts together. The test part is never used.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from ..data import split
from ..data.examples import Example
from ..data.parts import Parts

HELD_OUT_ENOUGH = 300
"""With so many held-out texts an accuracy of 0.9 has a standard error of 1.7 points; with fewer, folds are used."""

FOLDS = 5


def count(parts: Parts, wanted: int) -> int:
    """The number of folds: as set; 0 chooses. Data that was split by time is scored on its newest part."""
    if wanted:
        return wanted
    is_by_time = (parts.facts.get("split") or {}).get("by") == "time"
    return 1 if is_by_time or len(parts.held_out) >= HELD_OUT_ENOUGH else FOLDS


def cut(parts: Parts, folds: int) -> Iterator[Parts]:
    """The parts of each fold, the same at every call; one fold is the parts as they are.

    Texts of a group, and equal texts, stay in one fold; each label is spread over all of them.
    """
    if folds == 1:
        yield parts
        return
    known = (*parts.train, *parts.held_out)
    fold_of = _folds(known, folds)
    places = [fold_of[split.unit(example)] for example in known]
    for fold in range(folds):
        yield replace(
            parts,
            train=tuple(each for each, place in zip(known, places, strict=True) if place != fold),
            held_out=tuple(each for each, place in zip(known, places, strict=True) if place == fold),
        )


def _folds(known: tuple[Example, ...], folds: int) -> dict[str, int]:
    """Unit -> fold: deals out each label's units in turn, in a seeded random order."""
    by_label: dict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    for example in known:
        unit = split.unit(example)
        if unit not in seen:
            seen.add(unit)
            by_label[min(example.labels, default="")].add(unit)
    found, place = {}, 0
    for label in sorted(by_label):
        for unit in sorted(by_label[label], key=lambda name: hashlib.sha256(name.encode()).digest()):
            found[unit] = place % folds
            place += 1
    return found
