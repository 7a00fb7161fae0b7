"""Reads labelled texts and cuts them into train, held-out and test, without leaking one into another.

A file is JSON Lines, plain or gzip, one object a line with the strings `text` and `label`; other keys
are ignored. The test texts are used for exactly one thing before the last evaluation: train texts that
equal one of them (ignoring case and white space) are dropped.
"""

import gzip
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError

TEXT_CHARS_MAX = 1_000_000
"""Longest accepted text, in characters: a broken export is more likely than a message this long."""


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its label's name."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Split:
    """What one training run may see. `labels` is sorted; a label's place in it is its id."""

    labels: tuple[str, ...]
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    overlap_dropped: int


def find(folder: Path, name: str) -> Path:
    """`folder/name.jsonl.gz` or `folder/name.jsonl`, whichever is there."""
    for suffix in (".jsonl.gz", ".jsonl"):
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return path
    raise UserError(f"find {name}.jsonl.gz or {name}.jsonl in {folder}")


def sha256(path: Path) -> str:
    """Hex digest of the file as it lies on disk (the compressed bytes for .gz)."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path) -> list[Example]:
    """All examples of a file, in file order; a bad line is an error that names file and line."""
    opener = gzip.open if path.suffix == ".gz" else open
    examples = []
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    examples.append(_parse(line, f"{path}:{number}"))
    except (OSError, EOFError, UnicodeDecodeError) as cause:
        raise UserError(f"read {path} after line {len(examples)}: {cause}") from cause
    if not examples:
        raise UserError(f"read {path}: it has no examples")
    return examples


def split(train: list[Example], test: Iterable[Example], held_out_share: float, seed: int) -> Split:
    """Drops the overlap with `test`, then holds out a stratified share of train.

    Each label gives `round(count * held_out_share)` texts, at least one, to the held-out part. A text
    that occurs more than once stays whole on one side, as otherwise the held-out part would be easier
    than new texts are.
    """
    seen_in_test = {_normal(example.text) for example in test}
    kept = [example for example in train if _normal(example.text) not in seen_in_test]
    by_label = defaultdict(list)
    for example in kept:
        by_label[example.label].append(example)
    labels = tuple(sorted(by_label))
    if len(labels) < 2:
        raise UserError(f"train on {len(labels)} label(s): at least two are needed")
    dice = random.Random(seed)
    held_out_texts = set()
    for label in labels:
        texts = sorted({_normal(example.text) for example in by_label[label]})
        if len(texts) < 2:
            raise UserError(f"hold out a text of label {label!r}: it has only one")
        count = min(len(texts) - 1, max(1, round(len(texts) * held_out_share)))
        held_out_texts.update(dice.sample(texts, count))
    return Split(
        labels=labels,
        train=tuple(example for example in kept if _normal(example.text) not in held_out_texts),
        held_out=tuple(example for example in kept if _normal(example.text) in held_out_texts),
        overlap_dropped=len(train) - len(kept),
    )


def bucketed(lengths: list[int], batch_items: int, dice: random.Random) -> list[list[int]]:
    """Indices in batches of similar length, in random order, so that little padding is computed.

    Shuffle, sort within pools of 50 batches by length, cut, shuffle the batches. The pools keep the
    batches different from epoch to epoch.
    """
    order = list(range(len(lengths)))
    dice.shuffle(order)
    pool = batch_items * 50
    batches = []
    for start in range(0, len(order), pool):
        part = sorted(order[start : start + pool], key=lambda index: lengths[index])
        batches += [part[at : at + batch_items] for at in range(0, len(part), batch_items)]
    dice.shuffle(batches)
    return batches


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def _parse(line: str, place: str) -> Example:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as cause:
        raise UserError(f"parse {place}: not JSON: {cause}") from cause
    if not isinstance(row, dict):
        raise UserError(f"parse {place}: expected an object with `text` and `label`")
    for key in ("text", "label"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise UserError(f"parse {place}: `{key}` must be a string that is not blank")
    if len(row["text"]) > TEXT_CHARS_MAX:
        raise UserError(f"parse {place}: `text` is longer than {TEXT_CHARS_MAX} characters")
    return Example(row["text"], row["label"])
