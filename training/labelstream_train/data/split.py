"""Splits rows into train, held-out and test without leakage of texts, groups or times.

Test comes first: without a test file, it is split off from train; then texts that are also in test are dropped from
train. The held-out part is split off from the rest in the same way, or is the validation file. Two texts with the same
`normal` form count as one and stay together.
"""

import hashlib
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import UserError
from .examples import Example
from .load import Loaded, examples
from .parts import Parts
from .settings import DataSettings, SplitSettings

Cut = tuple[list[Example], list[Example]]
"""What stays, and what was split off."""


def split(loaded: Loaded, data: DataSettings, settings: SplitSettings) -> Parts:
    """The parts of everything `loaded` without a problem; the same seed gives the same parts."""
    dropped: Counter[str] = Counter({"rows_with_problems": _problems(loaded)})
    train = examples(loaded.train)
    validation = None if loaded.validation is None else examples(loaded.validation)
    if validation is not None and settings.validation == "train":
        train, validation = train + validation, None
    by = settings.chosen(data)
    cut = {"random": stratified, "group": by_group, "time": by_time}[by]
    if loaded.test is None:
        train, test = cut(train, settings.test_share, random.Random(settings.seed))
    else:
        test = examples(loaded.test)
    train = _apart(train, test, by, dropped, "train_in_test")
    if validation is None:
        train, held_out = cut(train, settings.held_out_share, random.Random(settings.seed))
        train = _apart(train, held_out, by, dropped, "train_in_held_out")
    else:
        held_out = _apart(validation, test, by, dropped, "held_out_in_test")
        train = _apart(train, held_out, by, dropped, "train_in_held_out")
    labels = tuple(sorted({label for example in train for label in example.labels}))
    if len(labels) < (1 if data.multi_label else 2):
        raise UserError(f"train on {len(labels)} label(s): at least {1 if data.multi_label else 2} required")
    known = {name: _known(part, labels, dropped, name) for name, part in (("held_out", held_out), ("test", test))}
    for name, part in known.items():
        if not part:
            raise UserError(f"split the data: no texts are left for {name}; train has {len(train)}")
    outside = _apart(examples(loaded.out_of_scope), train, by, dropped, "out_of_scope_in_train")
    return Parts(labels, data.multi_label, tuple(train), known["held_out"], known["test"], tuple(outside),
                 facts=_facts(loaded, data, settings, dropped))  # fmt: skip


def normal(text: str) -> str:
    """Texts with the same normal form count as one: case and white space are ignored."""
    return " ".join(text.casefold().split())


def stratified(given: Sequence[Example], share: float, dice: random.Random) -> Cut:
    """Splits off `round(texts * share)` texts of each label, at least one; a label with one text keeps it.

    An example with several labels counts for its rarest one, so that rare labels get their share.
    """
    counts = Counter(label for example in given for label in example.labels)
    by_label: dict[str, set[str]] = defaultdict(set)
    for example in given:
        rarest = min(example.labels, key=lambda label: (counts[label], label), default="")
        by_label[rarest].add(normal(example.text))
    cut: set[str] = set()
    for label in sorted(by_label):
        texts = sorted(by_label[label])
        cut.update(dice.sample(texts, min(len(texts) - 1, max(1, round(len(texts) * share)))))
    return _by(given, lambda example: normal(example.text) in cut)


def by_group(given: Sequence[Example], share: float, dice: random.Random) -> Cut:
    """Splits off whole groups in random order up to `share` of the texts; a text without a group is its own group."""
    sizes = Counter(map(unit, given))
    if len(sizes) < 2:
        raise UserError(f"split by group: expected at least two groups, found {len(sizes)}")
    names = sorted(sizes)
    dice.shuffle(names)
    wanted, have, cut = share * len(given), 0, set()
    for name in names[:-1]:
        # Take a group if that comes closer to the wanted size than leaving it.
        if have and abs(have + sizes[name] - wanted) > abs(have - wanted):
            continue
        cut.add(name)
        have += sizes[name]
    return _by(given, lambda example: unit(example) in cut)


def by_time(given: Sequence[Example], share: float, dice: random.Random) -> Cut:
    """Splits off the newest `share` of the texts; texts of the same time stay together."""
    times = sorted(example.time_ms for example in given if example.time_ms is not None)
    if len(times) < len(given):
        raise UserError(f"split by time: {len(given) - len(times)} texts have no time; name the column with --time")
    first = times[min(len(times) - 1, math.ceil(len(times) * (1 - share)))] if times else 0
    if not times or first == times[0]:
        raise UserError("split by time: no texts are older than the test texts, so none are left for train")
    return _by(given, lambda example: example.time_ms is not None and example.time_ms >= first)


def _by(given: Sequence[Example], is_cut: Callable[[Example], bool]) -> Cut:
    return [each for each in given if not is_cut(each)], [each for each in given if is_cut(each)]


def _apart(given: list[Example], other: Sequence[Example], by: str, dropped: Counter, name: str) -> list[Example]:
    """`given` without the texts of `other`, and without its groups if the split is by group."""
    texts = {normal(example.text) for example in other}
    kept = [example for example in given if normal(example.text) not in texts]
    dropped[name] += len(given) - len(kept)
    if by == "group":
        groups = {example.group for example in other if example.group is not None}
        apart = [example for example in kept if example.group not in groups]
        dropped[f"{name}_by_group"] += len(kept) - len(apart)
        return apart
    return kept


def _known(part: Sequence[Example], labels: Sequence[str], dropped: Counter, name: str) -> tuple[Example, ...]:
    """`part` without examples of labels that train does not have: no prediction could be right."""
    known = set(labels)
    kept = tuple(example for example in part if known.issuperset(example.labels))
    dropped[f"{name}_label_not_in_train"] += len(part) - len(kept)
    return kept


def unit(example: Example) -> str:
    """What stays on one side of a split: the group of an example, or else its text."""
    return f"group {example.group}" if example.group is not None else f"text {normal(example.text)}"


def _problems(loaded: Loaded) -> int:
    return sum(row.problem is not None for rows in loaded.rows().values() for row in rows)


def _facts(loaded: Loaded, data: DataSettings, settings: SplitSettings, dropped: Counter) -> dict[str, Any]:
    """The content of `Parts.facts`."""
    digests = "".join(f"{each['part']} {each['sha256']}\n" for each in loaded.files)
    name = data.name or str(data.path).replace("\\", "/").rstrip("/").rpartition("/")[2].split(".")[0]
    return {
        "files": list(loaded.files),
        "ignored_files": list(loaded.ignored),
        "fingerprint": hashlib.sha256(digests.encode()).hexdigest(),
        "dropped": {reason: count for reason, count in sorted(dropped.items()) if count},
        "split": settings.model_dump(mode="json") | {"by": settings.chosen(data)},
        "data": {"name": name, "licence": data.licence, "attribution": data.attribution},
    }
