"""Reads the user's train, validation, test and out-of-scope files as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ..digests import sha256
from ..errors import UserError
from . import arrow_files, files, names, text_files
from .examples import Example
from .rows import Row, columns
from .settings import DataSettings

COLUMNS_FROM_ROWS = 100
"""JSON has no header: the columns are those of the first so many rows."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """`validation` and `test` are None if the data has none. `files` has part, name, sha256 and rows of each file.

    `ignored` are the names of data files in the folder that match no part. `renamed` maps label in a file -> label
    here, for numbers that were written in two ways.
    """

    train: tuple[Row, ...]
    validation: tuple[Row, ...] | None
    test: tuple[Row, ...] | None
    out_of_scope: tuple[Row, ...]
    files: tuple[dict[str, Any], ...]
    ignored: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> dict[str, tuple[Row, ...]]:
        """Part -> its rows, without empty parts."""
        parts = {name: getattr(self, name) for name in ("train", "validation", "test", "out_of_scope")}
        return {name: rows for name, rows in parts.items() if rows}


def examples(rows: Sequence[Row]) -> list[Example]:
    """The examples of the rows without a problem."""
    return [row.example for row in rows if row.problem is None]


def load(settings: DataSettings) -> Loaded:
    """Reads all files; an unreadable one is an error that names file and line."""
    if settings.path is None:
        raise UserError("find the data: use --data FILE_OR_DIR (data.path)")
    found = files.find(Path(settings.path))
    places = {"train": found.train, "validation": found.validation, "test": found.test}
    if settings.validation is not None:
        places["validation"] = (_file(settings.validation, "validation"),)
    if settings.test is not None:
        places["test"] = (_file(settings.test, "test"),)
    root = Path(settings.path)
    read = {part: [read_rows(path, settings, root=root) for path in paths] for part, paths in places.items()}
    if settings.out_of_scope is not None:
        places["out_of_scope"] = (_file(settings.out_of_scope, "out_of_scope"),)
        read["out_of_scope"] = [read_rows(places["out_of_scope"][0], settings, is_labelled=False)]
    about = [
        {"part": part, "name": _name(path, root), "sha256": sha256(path), "rows": len(rows)}
        for part, paths in places.items()
        for path, rows in zip(paths, read[part], strict=True)
    ]
    parts = {part: tuple(row for rows in each for row in rows) for part, each in read.items()}
    if not parts["train"]:
        raise UserError(f"read {settings.path}: it has no rows")
    given = {part: parts[part] if places[part] else None for part in ("validation", "test")}
    ignored = tuple(path.name for path in found.ignored if str(path) not in (settings.out_of_scope, settings.test))
    loaded = Loaded(parts["train"], given["validation"], given["test"], parts.get("out_of_scope", ()),
                    tuple(about), ignored)  # fmt: skip
    return _without_outsiders(_with_one_form(loaded), settings.out_of_scope_label)


def read_rows(path: Path, settings: DataSettings, is_labelled: bool = True, root: Path | None = None) -> list[Row]:
    """The rows of one file, in order, with places relative to `root`. Unless `is_labelled`, labels may be missing."""
    is_arrow = files.format_of(path) in (".parquet", ".arrow")
    class_names = arrow_files.label_names(path) if is_arrow else {}
    form = text_files.Form(settings.delimiter, settings.encoding)
    source = arrow_files.rows(path) if is_arrow else text_files.rows(path, form)
    first = list(islice(source, COLUMNS_FROM_ROWS))
    if not first:
        return []
    found = list(dict.fromkeys(name for _, values in first for name in values))
    is_cell = settings.multi_label and files.kind(path) in (".csv", ".tsv")
    which = replace(columns(settings, found, str(path), is_labelled), names=class_names, empty_is_none=is_cell)
    return [which.row(values, f"{_name(path, root)}:{number}") for number, values in chain(first, source)]


def renamed(rows: Sequence[Row], labels: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows with labels renamed by `labels`; others keep theirs."""
    return tuple(
        replace(row, example=replace(row.example, labels=tuple(labels.get(each, each) for each in row.example.labels)))
        for row in rows
    )


def _with_one_form(loaded: Loaded) -> Loaded:
    """Treats labels 1.0 and 1 as one: pandas writes integers as 1.0 if a row has no value."""
    labels = names.same_numbers(
        label for part, rows in loaded.rows().items() if part != "out_of_scope" for row in rows
        for label in row.example.labels if label
    )  # fmt: skip
    if not labels:
        return loaded
    parts = {
        part: None if rows is None else renamed(rows, labels)
        for part, rows in (("train", loaded.train), ("validation", loaded.validation), ("test", loaded.test))
    }
    return replace(loaded, **parts, renamed=labels)


def _without_outsiders(loaded: Loaded, named: str | None) -> Loaded:
    """Moves rows with the out-of-scope label to the out-of-scope part."""
    if named is None:
        return loaded
    label = names.word(named, "the settings", "data.out_of_scope_label")
    label = loaded.renamed.get(str(label), label)
    outside = [row for rows in (loaded.train, loaded.validation, loaded.test) for row in rows or ()
               if label in row.example.labels]  # fmt: skip
    if not outside:
        raise UserError(f"find texts out of scope: no row has the label {label!r} (data.out_of_scope_label)")
    kept = {
        part: None if rows is None else tuple(row for row in rows if label not in row.example.labels)
        for part, rows in (("train", loaded.train), ("validation", loaded.validation), ("test", loaded.test))
    }
    return replace(loaded, **kept, out_of_scope=(*loaded.out_of_scope, *outside))


def _name(path: Path, root: Path | None) -> str:
    """The file's name relative to the data folder, without the folders above."""
    return path.relative_to(root).as_posix() if root in path.parents else path.name


def _file(name: str, key: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise UserError(f"find data.{key}: {name} is not a file")
    return path
