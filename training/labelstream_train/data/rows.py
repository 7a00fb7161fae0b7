"""One row of a data file as an example, or as a problem that `validate` reports.

A row that says what it should not (a blank text, no label, an unreadable time) is a value, not an exception:
the data check lists all of them with their places. A file that cannot be read as what its name says is an
error at once.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from ..errors import UserError
from .examples import Example
from .settings import DataSettings

TEXT_CHARS_MAX = 1_000_000
"""Longest accepted text, in characters: a broken export is more likely than a message this long."""

MILLISECONDS_FROM = 100_000_000_000
"""A number from here on is Unix time in milliseconds, a smaller one in seconds (this many are the year 5138)."""

TEXT_NAMES = ("text", "sentence", "utterance", "query", "question", "message", "content", "body")
LABEL_NAMES = ("label", "labels", "intent", "category", "class", "target", "topic")
SEPARATORS = ",;|"

Problem = Literal[
    "text_missing", "text_not_a_string", "text_blank", "text_too_long",
    "label_missing", "label_blank", "label_repeated", "time_unreadable",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """`place` is FILE:LINE (lines and rows count from 1). Where `problem` is set, `example` has what could be read."""

    place: str
    example: Example
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column is what. `names` holds a column's names of its numbers (Hugging Face's ClassLabel)."""

    text: str
    label: str | None
    is_multi_label: bool
    separator: str | None = None
    group: str | None = None
    time: str | None = None
    slices: tuple[str, ...] = ()
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def row(self, values: Mapping[str, Any], place: str) -> Row:
        """The row with these values."""
        text = values.get(self.text)
        problem = _text_problem(text)
        text = text if isinstance(text, str) else ""
        labels: tuple[str, ...] = ()
        if self.label is not None:
            labels = self._labels(values.get(self.label), place)
            problem = problem or self._label_problem(values.get(self.label), labels)
        time_ms = None
        if self.time is not None:
            time_ms = time_of(values.get(self.time))
            problem = problem or ("time_unreadable" if time_ms is None else None)
        group = None if self.group is None else _word(values.get(self.group))
        slices = {name: word for name in self.slices if (word := _word(values.get(name))) is not None}
        return Row(place, Example(text[:TEXT_CHARS_MAX], labels, group, time_ms, slices), problem)

    def _labels(self, value: Any, place: str) -> tuple[str, ...]:
        if self.is_multi_label and isinstance(value, str):
            value = self._parted(value, place)
        if not isinstance(value, (list, tuple)):
            value = [] if value is None else [value]
        elif not self.is_multi_label:
            raise UserError(f"read {place}: `{self.label}` holds a list of labels; give --multi-label")
        return tuple(word for each in value if (word := self._label(each, place)) is not None)

    def _parted(self, value: str, place: str) -> Sequence[Any]:
        listed = _list(value)
        if listed is not None:
            return listed
        if self.separator is not None:
            return [part.strip() for part in value.split(self.separator) if part.strip()]
        if value.lstrip().startswith("["):
            raise UserError(f"read {place}: `{self.label}` is {value[:40]!r}, expected a JSON list of labels")
        if any(mark in value for mark in SEPARATORS):
            raise UserError(f"read {place}: `{self.label}` is {value[:40]!r}; say what parts labels: --label-separator")
        return [value] if value.strip() else []

    def _label(self, value: Any, place: str) -> str | None:
        names = self.names.get(self.label or "")
        if names and isinstance(value, int):
            if not -1 <= value < len(names):
                raise UserError(f"read {place}: label number {value} has no name; there are {len(names)}")
            return names[value] if value >= 0 else None
        return _word(value)

    def _label_problem(self, value: Any, labels: tuple[str, ...]) -> Problem | None:
        if value is None or (not self.is_multi_label and not labels):
            return "label_missing"
        if any(not label for label in labels):
            return "label_blank"
        return "label_repeated" if len(set(labels)) < len(labels) else None


def columns(settings: DataSettings, found: Sequence[str], file: str, is_labelled: bool = True) -> Columns:
    """The columns that `settings` name, or those of usual names; one that is not `found` is an error."""
    given = {"text": settings.text, "group": settings.group, "time": settings.time}
    if is_labelled:
        given["label"] = settings.label
    for key, wanted in (*given.items(), *(("slices", name) for name in settings.slices)):
        if is_labelled and wanted is not None and wanted not in found:
            raise UserError(f"read {file}: data.{key} is {wanted!r}, found the columns {', '.join(found)}")
    usual = {"text": TEXT_NAMES, "label": LABEL_NAMES} if is_labelled else {"text": TEXT_NAMES}
    for key, names in usual.items():
        given[key] = given[key] or next((name for name in names if name in found), None)
        if given[key] is None:
            raise UserError(f"read {file}: give --{key} COLUMN; found the columns {', '.join(found)}")
    slices = tuple(name for name in settings.slices if name in found)
    separator, time = settings.label_separator, given["time"] if is_labelled else None
    return Columns(
        str(given["text"]), given.get("label"), settings.multi_label, separator, given["group"], time, slices
    )


def time_of(value: Any) -> int | None:
    """Unix time in ms of a datetime, a date, an ISO 8601 string (without offset: UTC) or a number; else None."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    if isinstance(value, datetime):
        return round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
    if isinstance(value, date):
        return time_of(datetime(value.year, value.month, value.day, tzinfo=UTC))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) > 1e15:
        return None
    return round(value if abs(value) >= MILLISECONDS_FROM else value * 1000)


def _text_problem(text: Any) -> Problem | None:
    if text is None:
        return "text_missing"
    if not isinstance(text, str):
        return "text_not_a_string"
    if not text.strip():
        return "text_blank"
    return "text_too_long" if len(text) > TEXT_CHARS_MAX else None


def _list(value: str) -> Sequence[Any] | None:
    """A list in JSON, or as Python prints one (pandas writes that into CSV files); None when it is neither."""
    if not (value.strip().startswith("[") and value.strip().endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return found
    return None


def _word(value: Any) -> str | None:
    """A value as a name: 3 and 3.0 are "3", true is "true"; white space around a string is no part of it."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
