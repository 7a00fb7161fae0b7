"""What a new package changes compared with the one in use: by label, and text by text.

Written to OUT/gate/comparison.json for the report page. The gate's rule is about all texts together
(`statistics.compare`); here a reader sees which labels lose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control

from ..data.examples import Example
from ..data.personal import shorten
from ..statistics import counts
from ..statistics.compare import mcnemar
from ..statistics.intervals import Draws, bootstrap


@dataclass(frozen=True, slots=True)
class Answers:
    """Two packages on the same texts: [texts, labels] bool each, `labels` name the columns."""

    labels: Sequence[str]
    wanted: np.ndarray
    before: np.ndarray
    after: np.ndarray


def measure(answers: Answers, examples: Sequence[Example], texts_max: int, draws: Draws) -> dict[str, Any]:
    """{labels: [{label, n, before, after, difference: estimate, p, p_adjusted}], texts: {changed, fixed, broken},
    fixed, broken: [{text, truth, before, after}]}.

    `difference` is the paired difference of a label's F1; p is McNemar's on right decisions about the label, and
    p_adjusted is corrected for the number of labels (Benjamini and Hochberg). `fixed` are texts that only the new
    package gets right, `broken` those that only the old one did; at most `texts_max` of each, personal data masked.
    """
    wanted, before, after = answers.wanted, answers.before, answers.after
    right = [(each == wanted).all(axis=1) for each in (before, after)]
    fixed, broken = np.flatnonzero(~right[0] & right[1]), np.flatnonzero(right[0] & ~right[1])
    changed = int((before != after).any(axis=1).sum())
    return {
        "labels": _labels(answers, draws),
        "texts": {"changed": changed, "fixed": len(fixed), "broken": len(broken)},
        "fixed": [_text(answers, examples, place) for place in fixed[:texts_max]],
        "broken": [_text(answers, examples, place) for place in broken[:texts_max]],
    }


def _labels(answers: Answers, draws: Draws) -> list[dict[str, Any]]:
    wanted, before, after = answers.wanted, answers.before, answers.after
    strata = wanted.argmax(axis=1) if (wanted.sum(axis=1) == 1).all() else np.zeros(len(wanted), int)

    def differences(weights: np.ndarray) -> np.ndarray:
        old, new = (counts.f1(*counts.of_draws(each, wanted, weights)).each for each in (before, after))
        return np.nan_to_num(new) - np.nan_to_num(old)

    once = np.ones((1, len(wanted)), np.float32)
    old, new = (counts.f1(*counts.of_draws(each, wanted, once)).each[0] for each in (before, after))
    estimates = bootstrap(differences, strata, draws)
    rows = []
    for place, label in enumerate(answers.labels):
        pair = [each[:, place] == wanted[:, place] for each in (before, after)]
        p, _ = mcnemar(int((pair[0] & ~pair[1]).sum()), int((pair[1] & ~pair[0]).sum()))
        figures = {name: None if np.isnan(each[place]) else float(each[place])
                   for name, each in (("before", old), ("after", new))}  # fmt: skip
        rows.append(
            {"label": label, "n": int(wanted[:, place].sum())}
            | figures
            | {"difference": estimates[place].as_dict(), "p": p}
        )
    adjusted = false_discovery_control([row["p"] for row in rows])
    return [row | {"p_adjusted": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def _text(answers: Answers, examples: Sequence[Example], place: int) -> dict[str, Any]:
    def named(given: np.ndarray) -> str:
        return ", ".join(answers.labels[column] for column in np.flatnonzero(given[place])) or "none"

    return {
        "text": shorten(examples[place].text),
        "truth": named(answers.wanted),
        "before": named(answers.before),
        "after": named(answers.after),
    }
