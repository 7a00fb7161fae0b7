"""Checks the labels: too few, too few texts, only in one part, imbalanced, or spelled in several ways."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..data.names import normal_label
from .corpus import LEARNT_FROM, Corpus
from .finding import Finding, counted
from .settings import ValidateSettings


def check(corpus: Corpus, settings: ValidateSettings) -> Iterator[Finding]:
    """All findings about labels; they count labels, not rows."""
    learnt = _counts(corpus.given, corpus, LEARNT_FROM)
    tested = _counts(corpus.given, corpus, ("test",))
    total = len(learnt.keys() | tested.keys())
    yield from _too_few(learnt, total, settings)
    yield from _one_sided(learnt, tested or _counts(corpus.cut, corpus, ("test",)), total, settings)
    yield from _spellings(learnt + tested, total, settings)
    yield from _printed(learnt + tested, total, settings)
    if len(learnt) > 1:
        (largest, most), (smallest, least) = learnt.most_common()[0], learnt.most_common()[-1]
        yield Finding(
            "label.imbalance",
            "info",
            int(most > least * settings.imbalance_max),
            total,
            f"the largest label has {most / least:.0f} times as many texts as the smallest",
            "collect more texts of small labels, or set class weights; judge by macro-F1, not by accuracy",
            _named({largest: most, smallest: least}, 2),
        )


def _counts(parts: Sequence[str | None], corpus: Corpus, wanted: Iterable[str]) -> Counter:
    """Label -> rows in the `wanted` of `parts`."""
    found: Counter = Counter()
    for part, row in zip(parts, corpus.rows, strict=True):
        if part in wanted:
            found.update(row.example.labels)
    return found


def _too_few(learnt: Counter, total: int, settings: ValidateSettings) -> Iterator[Finding]:
    yield Finding(
        "label.fewer_than_two",
        "error",
        int(len(learnt) < 2),
        max(1, total),
        f"there is {counted(len(learnt), 'label')}; a classifier needs two",
        "check that --label names the right column",
    )
    few = {label: count for label, count in learnt.items() if count < settings.label_texts_min}
    single = {label: count for label, count in few.items() if count < 2}
    yield Finding(
        "label.single_text",
        "error",
        len(single),
        total,
        f"{counted(len(single), 'label')} with a single text, which cannot be both trained on and held out",
        "collect more texts, or give the text another label or none",
        _named(single, settings.examples_max),
    )
    yield Finding(
        "label.few_texts",
        "warning",
        len(few) - len(single),
        total,
        f"{counted(len(few) - len(single), 'label')} with fewer than {settings.label_texts_min} training texts",
        "collect more texts, or merge labels of similar meaning",
        _named({label: count for label, count in few.items() if label not in single}, settings.examples_max),
    )
    numbers = {label: count for label, count in learnt.items() if label.replace(".", "", 1).isdigit()}
    all_numbers = len(numbers) == len(learnt) > 1
    yield Finding(
        "label.numbers",
        "warning",
        len(numbers) if all_numbers else 0,
        total,
        "all labels are numbers" + ("" if len(numbers) < 100 else ", and there are 100 or more of them"),
        "check that --label names the right column; names make reports easier to read",
        _named(numbers, settings.examples_max),
    )


def _one_sided(learnt: Counter, tested: Counter, total: int, settings: ValidateSettings) -> Iterator[Finding]:
    if not tested:
        return
    unknown = {label: count for label, count in tested.items() if label not in learnt}
    yield Finding(
        "label.only_in_test",
        "error",
        len(unknown),
        total,
        f"{counted(len(unknown), 'label')} of test without a training text",
        "add training texts for them, or drop them from test",
        _named(unknown, settings.examples_max),
    )
    untested = {label: count for label, count in learnt.items() if label not in tested}
    yield Finding(
        "label.not_in_test",
        "warning",
        len(untested),
        total,
        f"{counted(len(untested), 'label')} without a text in test",
        "add test texts for them, or their metrics stay unknown",
        _named(untested, settings.examples_max),
    )


def _spellings(known: Counter, total: int, settings: ValidateSettings) -> Iterator[Finding]:
    """Labels that differ only in case, spaces, dashes or underscores; 1.0 and 1 are one label."""
    by_form = defaultdict(list)
    for label in sorted(known):
        by_form[normal_label(label)].append(label)
    doubled = [label for labels in by_form.values() if len(labels) > 1 for label in labels]
    yield Finding(
        "label.spelling",
        "error",
        len(doubled),
        total,
        f"{counted(len(doubled), 'label')} that differ from another one only in case, spaces or dashes",
        "write each label in one way",
        _named({label: known[label] for label in doubled}, settings.examples_max),
    )


def _printed(known: Counter, total: int, settings: ValidateSettings) -> Iterator[Finding]:
    """Labels that are Python notation of a value: the program that wrote the file ignored the column's type."""
    found = {label: known[label] for label in known if re.fullmatch(r"b(['\"]).*\1|\[.*\]|\{.*\}", label, re.DOTALL)}
    yield Finding(
        "label.printed_value",
        "warning",
        len(found),
        total,
        f"{counted(len(found), 'label')} that look like the printed form of bytes, a list or an object",
        "write plain names into the column (bytes: decode them; lists: --multi-label)",
        _named(found, settings.examples_max),
    )


def rewritten(renamed: Mapping[str, str], total: int) -> Finding:
    """Labels that are the same number, spelled in two ways."""
    pairs = ", ".join(f"{label} is {to}" for label, to in sorted(renamed.items())[:3])
    return Finding(
        "label.same_number",
        "info",
        len(renamed),
        max(1, total),
        f"{counted(len(renamed), 'label')} written as 1 in some rows and as 1.0 in others, treated as one: {pairs}",
        "write them in one way; pandas writes 1.0 if the column has missing values",
    )


def _named(found: dict[str, int], limit: int) -> tuple[dict, ...]:
    """Labels as examples, the rarest first."""
    rarest = sorted(found, key=lambda label: (found[label], label))[:limit]
    return tuple({"label": label, "texts": found[label]} for label in rarest)
