"""The learning curve of a training, OUT/train/curve.csv: one row per epoch, for the report, DVC and spreadsheets."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import atomic_file
from . import quality

NAME = "curve.csv"
COLUMNS = ("epoch", "train_loss", "held_out_quality", "held_out_log_loss", "chosen")


def write(folder: Path, history: Sequence[dict[str, Any]], chosen: int) -> None:
    """Writes the `history` of a tier; `chosen` is the epoch whose weights the package has."""
    rows = [
        (found["epoch"], f"{row['loss']:.6g}", f"{found['quality']:.6g}", f"{found['nll']:.6g}",
         int(found["epoch"] == chosen))
        for row, found in zip(history, quality.of_epochs(history), strict=True)
    ]  # fmt: skip
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    atomic_file.write_text(folder / NAME, text.getvalue())


def read(folder: Path) -> list[dict[str, float]]:
    """The rows; empty if the package has no training folder, or an older one without the file."""
    try:
        with (folder / NAME).open(encoding="utf-8", newline="") as file:
            return [{name: float(row[name]) for name in COLUMNS} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
