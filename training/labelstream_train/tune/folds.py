"""What a trial is judged on: the held-out part, or with few held-out texts every text once, by cross-validation.

Of 86 held-out texts one is more than a point of accuracy, so most trials are equal or apart by luck. With K folds a
trial trains K times, each time on the other folds, and is judged on all texts together. The test part is never touched.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from ..data.examples import Example
from ..data.parts import Parts
from ..data.split import normal

HELD_OUT_ENOUGH = 300
"""With so many held-out texts the standard error of an accuracy of 0.9 is 1.7 points; fewer are judged by folds."""

FOLDS = 5


def count(parts: Parts, wanted: int) -> int:
    """How many folds: as set; 0 decides. Data that was split by time keeps its newest part as the judge."""
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
    places = [fold_of[_unit(example)] for example in known]
    for fold in range(folds):
        yield replace(
            parts,
            train=tuple(each for each, place in zip(known, places, strict=True) if place != fold),
            held_out=tuple(each for each, place in zip(known, places, strict=True) if place == fold),
        )


def _folds(known: tuple[Example, ...], folds: int) -> dict[str, int]:
    """Unit -> fold: each label's units in an order that is random and fixed, dealt out one after another."""
    by_label: dict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    for example in known:
        unit = _unit(example)
        if unit not in seen:
            seen.add(unit)
            by_label[min(example.labels, default="")].add(unit)
    found, place = {}, 0
    for label in sorted(by_label):
        for unit in sorted(by_label[label], key=lambda name: hashlib.sha256(name.encode()).digest()):
            found[unit] = place % folds
            place += 1
    return found


def _unit(example: Example) -> str:
    return f"group {example.group}" if example.group is not None else f"text {normal(example.text)}"
