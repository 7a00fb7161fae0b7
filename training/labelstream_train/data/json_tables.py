"""Converts a table in one JSON value to rows.

Supported are a list of objects, every orientation of pandas' `to_json` (by default an object of columns, each an object
of row name -> value), and an object of lists.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError


def rows(value: Any, path: Path) -> Sequence[Any]:
    """The rows of a table, in order; the caller checks that each is an object."""
    if isinstance(value, dict):
        found = _of_object(value, path)
        if found is not None:
            return found
    if not isinstance(value, list):
        raise UserError(f"read {path}: expected a list of objects, found {type(value).__name__} "
                        "(or a table that pandas' to_json wrote)")  # fmt: skip
    if value and isinstance(value[0], list):
        raise UserError(f"read {path}:1: expected an object with column names, found a list; "
                        "write one object per row (pandas: orient='records')")  # fmt: skip
    return value


def _of_object(value: Mapping[str, Any], path: Path) -> Sequence[Any] | None:
    """The rows of a table in an object; None if it has no known form."""
    if set(value) == {"columns", "index", "data"} and all(isinstance(each, list) for each in value.values()):
        return _named(value["columns"], value["data"], path)
    lists = [each for each in value.values() if isinstance(each, list)]
    if len(lists) == 1 and not (len(value) == 1 and lists[0] and not isinstance(lists[0][0], dict)):
        return lists[0]
    if value and len(lists) == len(value):
        lengths = {name: len(each) for name, each in value.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"'{name}' has {count}" for name, count in lengths.items())
            raise UserError(f"read {path}: expected columns of the same length, found: {said}")
        return [dict(zip(value, each, strict=True)) for each in zip(*value.values(), strict=True)]
    objects = [each for each in value.values() if isinstance(each, dict)]
    if value and len(objects) == len(value) and all(each.keys() == objects[0].keys() for each in objects):
        return _turned(value, list(objects[0]))
    return None


def _turned(value: Mapping[str, Mapping[str, Any]], inner: Sequence[str]) -> Sequence[Any]:
    """An object of objects: columns of rows (pandas' default), or rows of columns (its `orient="index"`).

    Row names are usually numbers. If neither or both levels are, assume more rows than columns.
    """
    outer = list(value)
    is_by_row = _numbered(outer) if _numbered(outer) != _numbered(inner) else len(outer) > len(inner)
    if is_by_row:
        return list(value.values())
    return [{name: column[row] for name, column in value.items()} for row in inner]


def _numbered(names: Sequence[str]) -> bool:
    return all(name.lstrip("-").isdigit() for name in names)


def _named(columns: Sequence[Any], data: Sequence[Any], path: Path) -> Sequence[Any]:
    """pandas' `orient="split"`."""
    for number, row in enumerate(data, start=1):
        if not isinstance(row, list) or len(row) != len(columns):
            raise UserError(f"read {path}:{number}: expected a list of {len(columns)} values")
    return [dict(zip(map(str, columns), row, strict=True)) for row in data]
