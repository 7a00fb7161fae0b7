"""Compares the package in use (champion) with the new one on the same test texts, each run from its own files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.parts import Parts
from ..errors import UserError
from ..evaluate.settings import EvaluateSettings
from ..package import manifest
from ..package.scorer import Scorer
from ..statistics import counts
from ..statistics.compare import Comparison, compare
from ..statistics.intervals import Draws
from . import changes


@dataclass(frozen=True, slots=True)
class Match:
    """A comparison and its inputs; `changes` is the result of `changes.measure`.

    `lost` are labels that only the champion has, `gained` those that only the new package has; `left_out` counts test
    texts with a label that the champion does not have.
    """

    name: str
    version: str
    digest: str
    comparison: Comparison | None
    lost: tuple[str, ...]
    gained: tuple[str, ...]
    left_out: int
    saw_other_data: bool
    changes: dict[str, Any] | None = None

    def facts(self) -> dict[str, Any]:
        """As in verdict.json."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "labels_lost": list(self.lost),
            "labels_gained": list(self.gained),
            "texts_left_out": self.left_out,
            "comparison": None if self.comparison is None else self.comparison.as_dict(),
        }


def match(
    package: Path, champion: Path, parts: Parts, threads: int = 0, settings: EvaluateSettings | None = None
) -> Match:
    """Scores the test texts with both packages.

    Texts with a label that the champion does not have are left out: it could only be wrong. Each package may predict
    any of its labels, so a label that the other lacks is a wrong prediction. Raises `UserError` if one package is
    multi-label and the other is not.
    """
    new, old = Scorer(package, threads=threads), Scorer(champion, threads=threads)
    if new.is_multi_label != old.is_multi_label:
        raise UserError(f"compare {package} with the champion {champion}: only one of them is multi-label")
    known, settings = set(old.labels), settings or EvaluateSettings()
    shared = [example for example in parts.test if known.issuperset(example.labels)]
    labels = sorted(known | set(new.labels))
    found = details = None
    if shared and known & set(new.labels):
        texts = [example.text for example in shared]
        columns = {label: place for place, label in enumerate(labels)}
        places = [[columns[label] for label in example.labels] for example in shared]
        truth = _truth(places, len(labels), parts.is_multi_label)
        scores = [_in_columns(each, texts, columns) for each in (old, new)]
        floors = [_thresholds(each, columns) for each in (old, new)]
        found = compare(*scores, truth, floors[1], floors[0])
        given = [counts.given(*each, parts.is_multi_label) for each in zip(scores, floors, strict=True)]
        wanted = truth.astype(bool) if parts.is_multi_label else counts.one_hot(truth, len(labels))
        details = changes.measure(
            changes.Answers(labels, wanted, *given), shared, settings.examples_max,
            Draws(settings.bootstrap_repeats, settings.seed),
        )  # fmt: skip
    about = manifest.read(champion)
    return Match(
        str(about.get("name") or champion.name),
        str(about.get("version") or "?"),
        manifest.package_digest(champion),
        found,
        tuple(sorted(known - set(new.labels))),
        tuple(sorted(set(new.labels) - known)),
        len(parts.test) - len(shared),
        _sources(about) != _sources(manifest.read(package)),
        details,
    )


def _truth(places: list[list[int]], labels: int, is_multi_label: bool) -> np.ndarray:
    if not is_multi_label:
        return np.array([place for (place,) in places], np.int64)
    truth = np.zeros((len(places), labels), np.float32)
    for row, each in enumerate(places):
        truth[row, each] = 1.0
    return truth


def _in_columns(scorer: Scorer, texts: list[str], columns: dict[str, int]) -> np.ndarray:
    """[texts, columns] probabilities; -1 for labels that the package does not have, so that it never predicts them."""
    scores = np.full((len(texts), len(columns)), -1.0)
    scores[:, [columns[label] for label in scorer.labels]] = scorer.probabilities(texts)
    return scores


def _thresholds(scorer: Scorer, columns: dict[str, int]) -> np.ndarray:
    """The threshold of each column, for multi-label packages; otherwise the best label counts."""
    own = dict(zip(scorer.labels, scorer.floors, strict=True))
    return np.array([own.get(label, 1.0) for label in columns], np.float32)


def _sources(about: dict[str, Any]) -> list[str]:
    """Identifies the training data of a package."""
    return sorted(str(each.get("sha256")) for each in about.get("data") or [])
