"""The floor: what a simple model of the same train texts reaches on the same test texts.

TF-IDF of words and of runs of letters, and a logistic regression, as anybody has in ten lines. A package that is not
better has learnt nothing that a word count does not know.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.examples import Example
from ..statistics.intervals import paired_difference, share

NAME = "TF-IDF and logistic regression"
SHARES = (4, 2, 1)
"""The curve's points: every fourth text, every second, all."""
TEXTS_MAX = 20_000
"""Train texts that it learns from, evenly spread over more: then it takes seconds, and is a floor all the same."""


def measure(
    train: Sequence[Example], test: Sequence[Example], truth: np.ndarray, labels: Sequence[str], right: np.ndarray
) -> dict[str, Any] | None:
    """`accuracy` of the floor and `difference` of the package to it, in pairs; None without two labels to learn.

    `right` is [test texts] bool: whether the package's answer is the true label. `curve` is the floor's accuracy by
    how many texts it learns from: whether it still rises says whether more texts would help.
    """
    step = max(1, -(-len(train) // TEXTS_MAX))
    places = {label: place for place, label in enumerate(labels)}
    curve = []
    for part in SHARES:
        known = train[:: step * part]
        if len({example.labels[0] for example in known}) < 2:
            continue
        floor = np.array([places.get(label, -1) for label in _answers(known, test)]) == truth
        curve.append({"texts": len(known), "accuracy": share(int(floor.sum()), len(floor))})
    if not curve or curve[-1]["texts"] != len(train[::step]):
        return None
    return curve[-1] | {"name": NAME, "difference": paired_difference(floor, right), "curve": curve}


def _answers(known: Sequence[Example], test: Sequence[Example]) -> np.ndarray:
    """The label that a model of the texts `known` gives each of `test`."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", max_features=50_000)
    letters = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(3, 4), max_features=50_000)
    model = make_pipeline(make_union(words, letters), LogisticRegression(C=10.0, max_iter=200))
    model.fit([example.text for example in known], [example.labels[0] for example in known])
    return model.predict([example.text for example in test])
