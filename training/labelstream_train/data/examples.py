"""What every stage works on: labelled texts, and the four parts that a data set is cut into.

The parts are written once, by `validate`, as Parquet; every later stage reads them from there and no stage
reads the user's files again. A label is a name; its id is its place in the sorted `Parts.labels`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..json_file import read_object

PARTS = ("train", "held_out", "test", "out_of_scope")


@dataclass(frozen=True, slots=True)
class Example:
    """One text with the names of its labels: exactly one, or any number when the data is multi-label.

    `time_ms` is Unix time in UTC; `slices` names what figures are reported by (language, source, ...).
    """

    text: str
    labels: tuple[str, ...]
    group: str | None = None
    time_ms: int | None = None
    slices: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Parts:
    """A data set cut up: `train` to learn from, `held_out` to choose and calibrate by, `test` to report.

    `out_of_scope` holds texts that belong to none of the labels (their own labels are kept, but mean nothing).
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
        """Writes one Parquet file a part, then parts.json, which a reader looks for first."""
        from . import parquet

        folder.mkdir(parents=True, exist_ok=True)
        for name in PARTS:
            parquet.write(getattr(self, name), folder / f"{name}.parquet")
        header = {"labels": self.labels, "is_multi_label": self.is_multi_label, "facts": self.facts}
        text = json.dumps(header, indent=1, ensure_ascii=False) + "\n"
        (folder / "parts.json").write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Parts":
        """What `write` wrote; an error says to run `validate` where there is nothing."""
        from . import parquet

        header = read_object(folder / "parts.json", made_by="validate")
        parts = {name: parquet.read(folder / f"{name}.parquet") for name in PARTS}
        return cls(tuple(header["labels"]), header["is_multi_label"], **parts, facts=header["facts"])


def truth_of(labels: Sequence[str], is_multi_label: bool, examples: Sequence[Example]) -> np.ndarray:
    """Label ids [n] int64, or [n, labels] float32 of 0 and 1; a label that is not in `labels` is an error."""
    ids = {label: place for place, label in enumerate(labels)}
    truth = np.zeros((len(examples), len(labels)), np.float32) if is_multi_label else np.zeros(len(examples), np.int64)
    for row, example in enumerate(examples):
        if not is_multi_label and len(example.labels) != 1:
            raise UserError(f"read the label of {example.text[:40]!r}: expected one, found {len(example.labels)}")
        for label in example.labels:
            if label not in ids:
                raise UserError(f"use the label {label!r}: it is none of the {len(labels)} that training knows")
            if is_multi_label:
                truth[row, ids[label]] = 1.0
            else:
                truth[row] = ids[label]
    return truth
