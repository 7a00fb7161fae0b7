"""Labelled texts, which every stage works on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError


@dataclass(frozen=True, slots=True)
class Example:
    """One text with the names of its labels: exactly one, or any number when the data is multi-label.

    `time_ms` is Unix time in UTC; `slices` are the values by which metrics are reported (language, source, ...).
    """

    text: str
    labels: tuple[str, ...]
    group: str | None = None
    time_ms: int | None = None
    slices: Mapping[str, str] = field(default_factory=dict, hash=False)


def truth_of(labels: Sequence[str], is_multi_label: bool, examples: Sequence[Example]) -> np.ndarray:
    """Label ids [n] int64, or [n, labels] float32 of 0 and 1; a label that is not in `labels` is an error."""
    ids = {label: place for place, label in enumerate(labels)}
    truth = np.zeros((len(examples), len(labels)), np.float32) if is_multi_label else np.zeros(len(examples), np.int64)
    for row, example in enumerate(examples):
        if not is_multi_label and len(example.labels) != 1:
            raise UserError(f"read the label of {example.text[:40]!r}: expected one, found {len(example.labels)}")
        for label in example.labels:
            if label not in ids:
                raise UserError(f"use the label {label!r}: it is not one of the {len(labels)} labels of training")
            if is_multi_label:
                truth[row, ids[label]] = 1.0
            else:
                truth[row] = ids[label]
    return truth
