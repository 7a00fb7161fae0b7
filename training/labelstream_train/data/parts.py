"""The four parts of a split data set, as a folder of Parquet files.

`validate` writes them once. Later stages read them and never the user's files. A label is a name; its id is its index
in the sorted `Parts.labels`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import json_file
from .examples import Example, truth_of

PARTS = ("train", "held_out", "test", "out_of_scope")


@dataclass(frozen=True, slots=True)
class Parts:
    """A split data set: `train` for training, `held_out` for choosing the epoch and calibration, `test` for the
    metrics.

    `out_of_scope` holds texts that belong to no label (labels that they have are kept, but mean nothing).
    `facts` says where the parts come from: `files` (name, sha256 and rows of each input), `fingerprint`
    (one sha256 over all of them), `dropped` (counts by reason), `data` (name, licence, attribution).
    """

    labels: tuple[str, ...]
    is_multi_label: bool
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    test: tuple[Example, ...]
    out_of_scope: tuple[Example, ...]
    facts: dict[str, Any]

    def truth(self, examples: Sequence[Example]) -> np.ndarray:
        """Label ids [n] int64; when multi-label [n, labels] float32 of 0 and 1."""
        return truth_of(self.labels, self.is_multi_label, examples)

    def write(self, folder: Path) -> None:
        """Writes one Parquet file per part, then parts.json, which readers look for first."""
        from . import parquet

        folder.mkdir(parents=True, exist_ok=True)
        for name in PARTS:
            parquet.write(getattr(self, name), folder / f"{name}.parquet")
        header = {"labels": self.labels, "is_multi_label": self.is_multi_label, "facts": self.facts}
        json_file.write(folder / "parts.json", header)

    @classmethod
    def read(cls, folder: Path) -> "Parts":
        """What `write` wrote; an error says to run `validate` if there is nothing."""
        from . import parquet

        header = json_file.read_object(folder / "parts.json", made_by="validate")
        parts = {name: parquet.read(folder / f"{name}.parquet") for name in PARTS}
        return cls(tuple(header["labels"]), header["is_multi_label"], **parts, facts=header["facts"])
