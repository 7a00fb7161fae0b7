"""The baseline: what a simple model of the same training texts reaches on the same test texts.

It is a logistic regression on TF-IDF of words and character n-grams. A package that does not beat it has learnt nothing
beyond word counts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.examples import Example
from ..statistics.intervals import paired_difference, share

NAME = "TF-IDF and logistic regression"
SHARES = (4, 2, 1)
"""Points of the learning curve: every fourth text, every second, all."""
TEXTS_MAX = 20_000
"""Most training texts of the baseline, evenly sampled from more, so that it takes seconds."""


def measure(
    train: Sequence[Example], test: Sequence[Example], truth: np.ndarray, labels: Sequence[str], right: np.ndarray
) -> dict[str, Any] | None:
    """`accuracy` of the baseline and paired `difference` of the package to it; None with fewer than two labels.

    `right` is [test texts] bool: whether the package's answer is the true label. `curve` is the baseline's
    accuracy by number of training texts: if it still rises, more texts would help.
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
    """The predictions for `test` of a model trained on `known`."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", max_features=50_000)
    letters = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(3, 4), max_features=50_000)
    model = make_pipeline(make_union(words, letters), LogisticRegression(C=10.0, max_iter=200))
    model.fit([example.text for example in known], [example.labels[0] for example in known])
    return model.predict([example.text for example in test])
