"""Everything the user gave, as rows: which files are train, validation and test, and what is in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .examples import Example
from .rows import Row
from .settings import DataSettings


@dataclass(frozen=True, slots=True)
class Loaded:
    """`validation` and `test` are None where the data has none. `files` has part, name, sha256, rows of each."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...] | None
    test: tuple[Row, ...] | None
    out_of_scope: tuple[Row, ...]
    files: tuple[dict[str, Any], ...]
    ignored: tuple[str, ...]
    """Names of data files in the folder that no part claims."""

    def rows(self) -> dict[str, tuple[Row, ...]]:
        """Part -> its rows, for those parts that there are."""
        parts = {name: getattr(self, name) for name in ("train", "validation", "test", "out_of_scope")}
        return {name: rows for name, rows in parts.items() if rows}


def examples(rows: Sequence[Row]) -> list[Example]:
    """Those of the rows without a problem."""
    return [row.example for row in rows if row.problem is None]


def load(settings: DataSettings) -> Loaded:
    """Reads all files; whatever cannot be read as rows is an error that names file and line."""
    raise NotImplementedError
