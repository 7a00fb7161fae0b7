"""Examples as a Parquet file: text, labels, group, time_ms, and a column `slice.NAME` for each slice."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet

from ..errors import UserError
from .examples import Example

SLICE = "slice."


def write(examples: Sequence[Example], path: Path) -> None:
    """Writes one row per example; a missing slice is null."""
    columns = {
        "text": pyarrow.array([each.text for each in examples], pyarrow.string()),
        "labels": pyarrow.array([list(each.labels) for each in examples], pyarrow.list_(pyarrow.string())),
        "group": pyarrow.array([each.group for each in examples], pyarrow.string()),
        "time_ms": pyarrow.array([each.time_ms for each in examples], pyarrow.int64()),
    }
    for name in sorted({name for each in examples for name in each.slices}):
        columns[SLICE + name] = pyarrow.array([each.slices.get(name) for each in examples], pyarrow.string())
    pyarrow.parquet.write_table(pyarrow.table(columns), path, compression="zstd")


def read(path: Path) -> tuple[Example, ...]:
    """What `write` wrote, in the same order."""
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as cause:
        raise UserError(f"read {path}: {cause}") from cause
    columns = table.to_pydict()
    names = [name for name in columns if name.startswith(SLICE)]
    return tuple(
        Example(
            columns["text"][row],
            tuple(columns["labels"][row]),
            columns["group"][row],
            columns["time_ms"][row],
            {name.removeprefix(SLICE): columns[name][row] for name in names if columns[name][row] is not None},
        )
        for row in range(table.num_rows)
    )
