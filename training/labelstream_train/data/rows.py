"""One row of a data file as an example, or as a problem that `validate` reports.

A bad row (blank text, no label, unreadable time) is a value, not an exception: the data check lists all of them with
their places. A file that does not have the format of its name is an error at once.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from ..errors import UserError
from . import names, text_files, times
from .examples import Example
from .settings import DataSettings
from .times import time_of as time_of  # re-exported for readers of rows

TEXT_CHARS_MAX = 1_000_000
"""Longest accepted text, in characters: a broken export is more likely than a message this long."""

TEXT_NAMES = ("text", "sentence", "utterance", "query", "question", "message", "content", "body")
LABEL_NAMES = ("label", "labels", "intent", "category", "class", "target", "topic")
ID_NAMES = ("id", "uuid", "guid", "message_id", "ticket_id", "row_id", "text_id")
SEPARATORS = ",;|"

TIME_CHARS_MAX = 40
"""Characters of a time that a message shows."""

Problem = Literal[
    "text_missing", "text_not_a_string", "text_blank", "text_too_long",
    "label_missing", "label_blank", "label_repeated", "time_unreadable",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """`place` is FILE:LINE (lines and rows count from 1). If `problem` is set, `example` has what could be read.

    `id` is the row's id in the file, `time_form` the form of its time, `time_text` an unreadable time in `time_column`.
    """

    place: str
    example: Example
    problem: Problem | None = None
    id: str | None = None
    time_form: str | None = None
    time_text: str | None = None
    time_column: str | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The roles of the columns. `names` are the names of a column's label ids (Hugging Face's ClassLabel); `renamed`
    maps labels of the file to new names. With `empty_is_none`, no value means no label, as CSV has no empty list."""

    text: str
    label: str | None
    is_multi_label: bool
    separator: str | None = None
    group: str | None = None
    time: str | None = None
    time_format: str | None = None
    empty_is_none: bool = False
    id: str | None = None
    slices: tuple[str, ...] = ()
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    def row(self, values: Mapping[str, Any], place: str) -> Row:
        """The row with these values."""
        text = values.get(self.text)
        if isinstance(text, bytes):
            text = names.decoded(text, place, self.text)
        problem = _text_problem(text)
        text = text if isinstance(text, str) else ""
        labels: tuple[str, ...] = ()
        if self.label is not None:
            value = values.get(self.label)
            value = [] if value is None and self.empty_is_none else value
            labels = self._labels(value, place)
            problem = problem or self._label_problem(value, labels)
        time_ms, time_form, time_text = None, None, None
        if self.time is not None:
            time_ms, time_form = times.read(values.get(self.time), self.time_format)
            time_text = None if time_ms is not None else str(values.get(self.time))[:TIME_CHARS_MAX]
            problem = problem or ("time_unreadable" if time_ms is None else None)
        found = values.get(self.id) if self.id is not None else None
        id = names.word(found, place, str(self.id)) if isinstance(found, (str, int)) else None
        group = None if self.group is None else _value(values, self.group, place)
        slices = {name.strip(): word for name in self.slices if (word := _value(values, name, place)) is not None}
        example = Example(text[:TEXT_CHARS_MAX], labels, group, time_ms, slices)
        return Row(place, example, problem, id, time_form, time_text, self.time)

    def _labels(self, value: Any, place: str) -> tuple[str, ...]:
        if self.is_multi_label and isinstance(value, str):
            value = self._parted(value, place)
        if not isinstance(value, (list, tuple)):
            value = [] if value is None else [value]
        elif not self.is_multi_label:
            raise UserError(f"read {place}: `{self.label}` has a list of labels; use --multi-label")
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
            raise UserError(
                f"read {place}: `{self.label}` is {value[:40]!r}; name the separator with --label-separator"
            )
        return [value] if value.strip() else []

    def _label(self, value: Any, place: str) -> str | None:
        known = self.names.get(self.label or "")
        if known and isinstance(value, int):
            if not -1 <= value < len(known):
                raise UserError(f"read {place}: label number {value} has no name; there are {len(known)}")
            value = known[value] if value >= 0 else None
        label = names.word(value, place, str(self.label))
        return None if label is None else self.renamed.get(label, label)

    def _label_problem(self, value: Any, labels: tuple[str, ...]) -> Problem | None:
        if value is None or (not self.is_multi_label and not labels):
            return "label_missing"
        if any(not label for label in labels):
            return "label_blank"
        return "label_repeated" if len(set(labels)) < len(labels) else None


def columns(settings: DataSettings, found: Sequence[str], file: str, is_labelled: bool = True) -> Columns:
    """The columns that `settings` name, else those with the usual names; a missing one is an error."""
    wanted = {"text": settings.text, "group": settings.group, "time": settings.time, "id": settings.id}
    if is_labelled:
        wanted["label"] = settings.label
    given: dict[str, str | None] = {}
    for key, name in wanted.items():
        given[key] = None if name is None else names.column(name, found, file)
        if name is not None and given[key] is None and is_labelled:
            raise UserError(_absent(file, f"data.{key} is '{name}',", found))
    slices = {name: names.column(name, found, file) for name in settings.slices}
    if is_labelled and (absent := [name for name, column in slices.items() if column is None]):
        raise UserError(_absent(file, f"data.slices is '{absent[0]}',", found))
    usual = {"text": TEXT_NAMES, "label": LABEL_NAMES} if is_labelled else {"text": TEXT_NAMES}
    for key, known in usual.items():
        if given[key] is None:
            given[key] = next((column for name in known if (column := names.column(name, found, file))), None)
        if given[key] is None:
            raise UserError(_absent(file, f"use --{key} COLUMN;", found))
    renamed = {names.word(name, "data.label_names", name): to for name, to in settings.label_names.items()}
    id = given["id"] or next((column for name in ID_NAMES if (column := names.column(name, found, file))), None)
    return Columns(
        text=str(given["text"]),
        label=given.get("label"),
        is_multi_label=settings.multi_label,
        separator=settings.label_separator,
        group=given["group"],
        time=given["time"] if is_labelled else None,
        time_format=settings.time_format,
        id=id,
        slices=tuple(column for column in slices.values() if column is not None),
        renamed={str(name): to for name, to in renamed.items()},
    )


def _absent(file: str, what: str, found: Sequence[str]) -> str:
    return f"read {file}: {what} found the columns {names.quoted(found)}{text_files.hint(found)}"


def _text_problem(text: Any) -> Problem | None:
    if text is None:
        return "text_missing"
    if not isinstance(text, str):
        return "text_not_a_string"
    if not text.strip():
        return "text_blank"
    return "text_too_long" if len(text) > TEXT_CHARS_MAX else None


def _list(value: str) -> Sequence[Any] | None:
    """A list in JSON or in Python notation, which pandas writes to CSV files; None if it is neither."""
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


def _value(values: Mapping[str, Any], column: str, place: str) -> str | None:
    """The value of a group or slice: a name, or a time as ISO 8601."""
    value = values.get(column)
    return value.isoformat() if isinstance(value, date) else names.word(value, place, column)
