"""Rows of CSV, TSV, JSON Lines and JSON files, plain or compressed with gzip or zstd, one at a time."""

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import pyarrow

from ..errors import UserError
from . import encodings, json_tables
from .files import format_of, packing_of
from .names import quoted

LINE_CHARS_MAX = 8_000_000
"""Longest accepted line: eight times the longest text, which leaves room for escapes and other columns."""

_MARKS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
"""Column separators, most likely first."""

_EXCEL = re.compile(r"\"?sep=(\\t|.)\"?", re.IGNORECASE)
"""The first line with which Excel names the column separator."""

JSON_BYTES_MAX = 1_000_000_000
"""Largest .json file, which is parsed whole; larger ones should be JSON Lines."""

Values = tuple[int, dict[str, Any]]
"""The line (or row) number, and the values by column."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the file name does not tell; None: comma (tab in .tsv), UTF-8."""

    delimiter: str | None = None
    encoding: str | None = None


def rows(path: Path, form: Form = Form()) -> Iterator[Values]:
    """Every row of the file; a malformed one is an error with its line."""
    try:
        with opened(path, form.encoding) as stream:
            if format_of(path) in (".csv", ".tsv"):
                yield from _csv(stream, path, form.delimiter)
            elif format_of(path) == ".json":
                yield from _json(stream, path)
            else:
                yield from _json_lines(stream, path)
    except UnicodeError as cause:
        with _unpacked(path) as binary:
            raise UserError(f"read {encodings.fault(binary, path, form.encoding)}") from cause
    except (OSError, EOFError, zlib.error, pyarrow.ArrowException) as cause:
        raise UserError(f"read {path}: {cause}") from cause


@contextmanager
def opened(path: Path, encoding: str | None = None) -> Iterator[TextIO]:
    """The text of a file, in UTF-8 with or without a byte order mark; line ends stay as they are."""
    with _unpacked(path) as stream:
        if encoding is None and (found := encodings.wide(stream.peek(4)[:4])):
            raise UserError(f"read {path}:1: it is in {found.upper()}, expected UTF-8; {encodings.advice(found)}")
        with io.TextIOWrapper(stream, encoding=encoding or "utf-8-sig", newline="") as text:
            yield text


@contextmanager
def _unpacked(path: Path) -> Iterator[io.BufferedReader]:
    """The decompressed bytes of a file."""
    packing = packing_of(path)
    if packing == ".zst":
        stream: Any = pyarrow.input_stream(str(path), compression="zstd")
    else:
        stream = gzip.GzipFile(path, "rb") if packing == ".gz" else path.open("rb")
    with stream, io.BufferedReader(stream) as buffered:
        yield buffered


def _csv(stream: TextIO, path: Path, delimiter: str | None) -> Iterator[Values]:
    """The first line names the columns. Quoted cells may contain line ends; every row needs all columns."""
    csv.field_size_limit(min(sys.maxsize, LINE_CHARS_MAX))
    mark = delimiter or ("\t" if format_of(path) == ".tsv" else ",")
    first = stream.readline(LINE_CHARS_MAX)
    skipped = _said_by_excel(first, mark, delimiter is not None, path)
    reader = csv.reader(stream if skipped else chain([first], stream), delimiter=mark, strict=True)
    line = 1 + skipped
    try:
        header = next(reader, None)
        if not header:
            return
        _check(header, mark, f"{path}:{line}")
        line = reader.line_num + 1 + skipped
        for cells in reader:
            if cells and len(cells) != len(header):
                count = f"expected {len(header)} columns, found {len(cells)}"
                raise UserError(f"read {path}:{line}: {count}{hint(header)}")
            if cells:
                yield line, {name: cell or None for name, cell in zip(header, cells, strict=True) if name.strip()}
            line = reader.line_num + 1 + skipped
    except csv.Error as cause:
        raise UserError(f"read {path}:{line}: {cause}") from cause


def _said_by_excel(first: str, mark: str, is_given: bool, path: Path) -> int:
    """1 if the first line is Excel's `sep=;`, which is not a row; a separator that was not requested is an error."""
    found = _EXCEL.fullmatch(first.strip("\r\n\ufeff"))
    if found is None:
        return 0
    said = "\t" if found.group(1) == "\\t" else found.group(1)
    if said != mark and not is_given:
        raise UserError(
            f"read {path}:1: it names {_MARKS.get(said, repr(said))} as the column separator: {_flag(said)}"
        )
    return 1


def _check(header: Sequence[str], mark: str, place: str) -> None:
    """Checks the header: a duplicate name, or a single column that contains another separator, is an error."""
    named = [name for name in header if name.strip()]
    if len(set(named)) < len(named):
        raise UserError(f"read {place}: two columns have the same name: {quoted(named)}")
    other = next((each for each in _MARKS if each != mark and each in header[0]), None)
    if len(header) == 1 and other is not None:
        raise UserError(f"read {place}: expected {_MARKS.get(mark, repr(mark))} between the columns, "
                        f"found {_MARKS[other]}: {_flag(other)}")  # fmt: skip


def hint(names: Sequence[str]) -> str:
    """A hint if some column names contain another separator; else empty."""
    other = next((mark for mark in _MARKS if mark != "," and any(mark in name for name in names)), None)
    return "" if other is None else f"; {_MARKS[other]} seem to separate them: {_flag(other)}"


def _flag(mark: str) -> str:
    return f"use --delimiter {'tab' if mark == chr(9) else repr(mark)}"


def _json_lines(stream: TextIO, path: Path) -> Iterator[Values]:
    number = 0
    while line := stream.readline(LINE_CHARS_MAX + 1):
        number += 1
        if len(line) > LINE_CHARS_MAX:
            raise UserError(f"read {path}:{number}: the line has more than {LINE_CHARS_MAX} characters")
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as cause:
                raise UserError(f"read {path}:{number}: not JSON: {cause}") from cause
            yield number, _object(value, f"{path}:{number}")


def _json(stream: TextIO, path: Path) -> Iterator[Values]:
    """A list of objects, also under a key (`{"data": [...]}`), or another form that pandas writes."""
    if path.stat().st_size > JSON_BYTES_MAX:
        raise UserError(f"read {path}: it has more than {JSON_BYTES_MAX} bytes; write it as JSON Lines")
    try:
        value = json.load(stream)
    except (ValueError, RecursionError) as cause:
        if isinstance(cause, UnicodeError):
            raise
        raise UserError(f"read {path}: not JSON: {cause} (if it has one object per line, name it .jsonl)") from cause
    for number, each in enumerate(json_tables.rows(value, path), start=1):
        yield number, _object(each, f"{path}:{number}")


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"read {place}: expected an object with column names, found {type(value).__name__}")
    return value
