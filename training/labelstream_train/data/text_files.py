"""Rows of CSV, TSV, JSON Lines and JSON files, plain or packed with gzip or zstd, one at a time."""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pyarrow

from ..errors import UserError
from .files import format_of, packing_of

LINE_CHARS_MAX = 8_000_000
"""Longest accepted line: eight times the longest text, so that escapes and other columns fit."""

JSON_BYTES_MAX = 1_000_000_000
"""A .json file is one value and is parsed whole; anything larger should be JSON Lines."""

Values = tuple[int, dict[str, Any]]
"""The line (or row) number and what stands there by column."""


def rows(path: Path) -> Iterator[Values]:
    """Every row of the file; one that is not of the file's format is an error with its line."""
    reader = {".csv": _csv, ".tsv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".json": _json}[
        format_of(path)
    ]
    try:
        with opened(path) as stream:
            yield from reader(stream, path)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, pyarrow.ArrowException) as cause:
        raise UserError(f"read {path}: {cause}") from cause


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The text of a file in UTF-8, with or without a byte order mark; line ends stay as they are."""
    packing = packing_of(path)
    if packing == ".zst":
        stream: Any = pyarrow.input_stream(str(path), compression="zstd")
    else:
        stream = gzip.GzipFile(path, "rb") if packing == ".gz" else path.open("rb")
    with stream, io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", newline="") as text:
        yield text


def _csv(stream: TextIO, path: Path) -> Iterator[Values]:
    """The first line names the columns. A cell in quotes may hold line ends; each row has every column."""
    csv.field_size_limit(min(sys.maxsize, LINE_CHARS_MAX))
    reader = csv.reader(stream, delimiter="\t" if format_of(path) == ".tsv" else ",", strict=True)
    line = 1
    try:
        header = next(reader, None)
        if header is None:
            return
        if len(set(header)) < len(header):
            raise UserError(f"read {path}:1: two columns have the same name: {', '.join(header)}")
        line = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(header):
                raise UserError(f"read {path}:{line}: expected {len(header)} columns, found {len(cells)}")
            if cells:
                yield line, {name: cell if cell else None for name, cell in zip(header, cells, strict=True)}
            line = reader.line_num + 1
    except csv.Error as cause:
        raise UserError(f"read {path}:{line}: {cause}") from cause


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
    """A list of objects, also one behind a key (`{"data": [...]}`)."""
    if path.stat().st_size > JSON_BYTES_MAX:
        raise UserError(f"read {path}: it has more than {JSON_BYTES_MAX} bytes; write it as JSON Lines")
    try:
        value = json.load(stream)
    except (ValueError, RecursionError) as cause:
        if isinstance(cause, UnicodeDecodeError):
            raise
        raise UserError(f"read {path}: not JSON: {cause} (one object a line: name it .jsonl)") from cause
    if isinstance(value, dict):
        lists = [each for each in value.values() if isinstance(each, list)]
        value = lists[0] if len(lists) == 1 else value
    if not isinstance(value, list):
        raise UserError(f"read {path}: expected a list of objects, found {type(value).__name__}")
    for number, each in enumerate(value, start=1):
        yield number, _object(each, f"{path}:{number}")


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"read {place}: expected an object with the columns, found {type(value).__name__}")
    return value
