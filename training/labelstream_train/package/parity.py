"""Python's answers to many texts, to compare another implementation with: one JSON object per line.

`python -m labelstream_train.package.parity PACKAGE OUT --texts 10000` draws the texts (`parity_texts`), scores them,
and writes {kind, text, label, given, scores, signals}: `scores` [labels] in the order of config.json, `given` the
labels over their thresholds, highest score first. `tests/tests/parity.rs` runs it and compares the classifier with it.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import parity_texts
from .drift import signals
from .scorer import Scorer

DIGITS = 9
"""Significant digits that preserve a 32-bit float exactly."""


def rows(package: Path, drawn: Sequence[tuple[str, str]], threads: int) -> Iterator[dict[str, Any]]:
    """One object per text, as described at the top of this file."""
    scorer = Scorer(package, threads=threads)
    scores = scorer.probabilities([text for _, text in drawn])
    for (kind, text), row, given in zip(drawn, scores, scorer.given(scores), strict=True):
        ranked = np.argsort(-row.astype(np.float32), kind="stable")
        yield {
            "kind": kind,
            "text": text,
            "label": scorer.answers(row[None])[0][0],
            "given": [scorer.labels[place] for place in ranked if given[place]],
            "scores": [float(f"{score:.{DIGITS}g}") for score in row],
            "signals": signals(scorer, text, row),
        }


def main(arguments: Sequence[str]) -> int:
    """Writes the file and prints how many texts of each kind it has."""
    parser = argparse.ArgumentParser(prog="python -m labelstream_train.package.parity", description=__doc__)
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--texts", type=int, default=10_000, help="number of texts [10000]")
    parser.add_argument("--seed", type=int, default=1, help="seed of the texts [1]")
    parser.add_argument("--datasets", type=Path, help="folder of data sets; default: generated sentences")
    parser.add_argument("--threads", type=int, default=0, help="number of threads; 0: all cores [0]")
    given = parser.parse_args(arguments)
    drawn = list(parity_texts.draw(given.texts, given.seed, given.datasets))
    with given.out.open("w", encoding="utf-8") as lines:
        for row in rows(given.package, drawn, given.threads):
            lines.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
