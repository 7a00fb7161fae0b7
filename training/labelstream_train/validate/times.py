"""Checks times and groups: gaps in time, implausible times, and groups on both sides of the split."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

from .corpus import LEARNT_FROM, Corpus
from .finding import Finding, counted, head, percent, shown
from .settings import ValidateSettings

EARLIEST_MS = 631_152_000_000
"""1990-01-01. An earlier time usually means a wrong unit or an empty field."""


def check(corpus: Corpus, settings: ValidateSettings, now_ms: int | None = None) -> Iterator[Finding]:
    """Findings about times and groups, if the data has any."""
    yield from _groups(corpus, settings)
    timed = sorted(
        (row for row in corpus.rows if row.example.time_ms is not None), key=lambda row: row.example.time_ms or 0
    )
    if timed:
        yield _forms(timed, settings)
        yield from _implausible(timed, int(time.time() * 1000) if now_ms is None else now_ms, settings)
        yield from _gaps(timed, settings)
        yield from _order(corpus, settings)


def day(time_ms: int) -> str:
    """A date in UTC, as in 2026-11-23."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def _forms(timed: list, settings: ValidateSettings) -> Finding:
    """Times of several forms in one column: one without an offset counts as UTC, and may be hours off."""
    counts = Counter(row.time_form for row in timed if row.time_form is not None)
    usual = counts.most_common(1)[0][0] if counts else None
    others = [row for row in timed if row.time_form not in (None, usual)]
    said = ", ".join(f"{count:,} in {form}" for form, count in counts.most_common())
    return Finding(
        "time.mixed_forms",
        "warning",
        len(others),
        len(timed),
        f"times are written in {len(counts)} forms: {said}",
        "write them in one form; a time without an offset counts as UTC",
        head(others, settings.examples_max),
    )


def _implausible(timed: list, now_ms: int, settings: ValidateSettings) -> Iterator[Finding]:
    for name, says, rows in (
        ("future", "in the future", [row for row in timed if row.example.time_ms > now_ms]),
        ("too_early", "before 1990", [row for row in timed if row.example.time_ms < EARLIEST_MS]),
    ):
        message = f"{counted(len(rows), 'text')} with a time {says}"
        action = "check the unit (seconds or milliseconds) and the time zone"
        examples = head(rows, settings.examples_max)
        yield Finding(f"time.{name}", "warning", len(rows), len(timed), message, action, examples)


def _gaps(timed: list, settings: ValidateSettings) -> Iterator[Finding]:
    times = [row.example.time_ms for row in timed]
    span = times[-1] - times[0]
    wide = [
        (earlier, later)
        for earlier, later in pairwise(times)
        if later - earlier >= max(86_400_000, settings.gap_share_min * span)
    ]
    if len(times) >= 20:
        yield Finding(
            "time.gap",
            "warning",
            len(wide),
            len(times),
            f"{counted(len(wide), 'gap')} without a text, each at least {percent(settings.gap_share_min)} of the span",
            "check for a missing export; metrics over time mean little across a gap",
            tuple({"from": day(start), "to": day(end)} for start, end in wide[: settings.examples_max]),
        )


def _order(corpus: Corpus, settings: ValidateSettings) -> Iterator[Finding]:
    """Training texts newer than the oldest test text: the model would learn from the future."""
    times: dict[str | None, list] = defaultdict(list)
    for part, row in zip(corpus.cut, corpus.rows, strict=True):
        if row.example.time_ms is not None:
            times["test" if part == "test" else "learnt" if part in LEARNT_FROM else part].append(row)
    if times["test"] and times["learnt"]:
        start = min(row.example.time_ms for row in times["test"])
        newer = [row for row in times["learnt"] if row.example.time_ms > start]
        yield Finding(
            "leakage.time",
            "warning",
            len(newer),
            len(times["learnt"]),
            f"{counted(len(newer), 'text')} of train newer than the oldest of test ({day(start)})",
            'test on the newest texts (split.by = "time"), as in production',
            head(newer, settings.examples_max),
        )


def _groups(corpus: Corpus, settings: ValidateSettings) -> Iterator[Finding]:
    learnt, tested = {}, defaultdict(list)
    for part, row in zip(corpus.cut, corpus.rows, strict=True):
        if row.example.group is not None and part in LEARNT_FROM:
            learnt.setdefault(row.example.group, row)
        elif row.example.group is not None and part == "test":
            tested[row.example.group].append(row)
    both = [(row, learnt[group]) for group, rows in tested.items() if group in learnt for row in rows]
    yield Finding(
        "leakage.group",
        "error",
        len(both),
        sum(map(len, tested.values())),
        f"{counted(len(both), 'text')} of test from groups that are also in training",
        'keep each group in one part: split.by = "group"',
        tuple(shown(row, other=shown(other)) for row, other in both[: settings.examples_max]),
    )
