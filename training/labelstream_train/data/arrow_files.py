"""Rows of Parquet files and of the Arrow files that Hugging Face's `save_to_disk` writes, a batch at a time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from ..errors import UserError
from .files import format_of

BATCH_ROWS = 1000
"""Rows converted to Python values at once."""


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row number (from 1) and values by column."""
    number = 0
    try:
        for batch in _batches(path):
            for values in batch.to_pylist():
                number += 1
                yield number, values
    except (OSError, pyarrow.ArrowException) as cause:
        raise UserError(f"read {path} after row {number}: {cause}") from cause


def label_names(path: Path) -> Mapping[str, Sequence[str]]:
    """Column -> names of its label ids: from the schema's `huggingface` entry, or dataset_info.json beside the file."""
    try:
        with _opened(path) as source:
            schema = source.schema_arrow if isinstance(source, pyarrow.parquet.ParquetFile) else source.schema
    except (OSError, pyarrow.ArrowException) as cause:
        raise UserError(f"read {path}: {cause}") from cause
    about: Any = None
    if schema.metadata and b"huggingface" in schema.metadata:
        about = json.loads(schema.metadata[b"huggingface"]).get("info", {})
    elif (path.parent / "dataset_info.json").is_file():
        about = json.loads((path.parent / "dataset_info.json").read_text(encoding="utf-8"))
    features = (about or {}).get("features") or {}
    return {column: names for column, feature in features.items() if (names := _class_names(feature))}


def _class_names(feature: Any) -> Sequence[str] | None:
    """Names of a ClassLabel, or of a list of ClassLabels ([feature], or {"feature": ...})."""
    if isinstance(feature, list) and feature:
        return _class_names(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") == "ClassLabel":
        return feature.get("names")
    return _class_names(feature.get("feature"))


def _batches(path: Path) -> Iterator[pyarrow.RecordBatch]:
    with _opened(path) as source:
        yield from source.iter_batches(BATCH_ROWS) if isinstance(source, pyarrow.parquet.ParquetFile) else source


def _opened(path: Path) -> Any:
    """A Parquet file, or an Arrow stream or file (`save_to_disk` writes streams); both are context managers."""
    if format_of(path) == ".parquet":
        return pyarrow.parquet.ParquetFile(path)
    try:
        return pyarrow.ipc.open_stream(pyarrow.memory_map(str(path)))
    except pyarrow.ArrowInvalid:
        return _File(path)


class _File:
    """An Arrow file (random access), with the interface of a stream."""

    def __init__(self, path: Path):
        self.reader = pyarrow.ipc.open_file(pyarrow.memory_map(str(path)))
        self.schema = self.reader.schema

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        return (self.reader.get_batch(place) for place in range(self.reader.num_record_batches))
