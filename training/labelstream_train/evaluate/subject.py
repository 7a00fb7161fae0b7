"""The subject of an evaluation: a package and its texts, scored once for all metrics."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.examples import Example, truth_of
from ..digests import sha256
from ..errors import UserError
from ..package.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Scored:
    """Texts with the package's scores; all arrays [texts, labels] but `truth` (`Parts.truth`)."""

    examples: tuple[Example, ...]
    truth: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray

    @property
    def texts(self) -> list[str]:
        """The texts in order."""
        return [each.text for each in self.examples]


@dataclass(frozen=True, slots=True)
class Subject:
    """`held_out` is None, `label_counts` and `train` are empty if the package came without its data."""

    folder: Path
    scorer: Scorer
    data_name: str
    test: Scored
    held_out: Scored | None
    out_of_scope: tuple[Example, ...]
    label_counts: Mapping[str, int]
    train: tuple[Example, ...] = ()

    @property
    def labels(self) -> Sequence[str]:
        """In the order of the columns."""
        return self.scorer.labels

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities [texts, labels] of other texts."""
        return self.scorer.probabilities(texts)

    def untempered(self) -> np.ndarray:
        """Probabilities of the test texts as if the temperature were 1."""
        return self.scorer.probabilities_of(self.test.logits * self.scorer.temperature)

    def model_sha256(self) -> str:
        """Digest of the graph with its weights."""
        return sha256(self.folder / "model.onnx")


def score(scorer: Scorer, examples: Sequence[Example], place: str) -> Scored:
    """Scores labelled texts; a label that the package does not have is an error that names `place`."""
    if not examples:
        raise UserError(f"evaluate on {place}: it has no texts")
    try:
        truth = truth_of(scorer.labels, scorer.is_multi_label, examples)
    except UserError as cause:
        raise UserError(f"evaluate on {place}: {cause}") from cause
    logits = scorer.logits([each.text for each in examples])
    if not np.isfinite(logits).all():
        raise UserError(f"evaluate {scorer.folder}: the model gives a score of NaN")
    return Scored(tuple(examples), truth, logits, scorer.probabilities_of(logits))


def label_counts(examples: Sequence[Example]) -> dict[str, int]:
    """Texts of each label."""
    return dict(Counter(label for each in examples for label in each.labels))
