"""How well a score ranks positives above negatives, for many bootstrap draws at once. Ties count half."""

import numpy as np

from .intervals import Statistic

TRUE_RATE = 0.95
"""The true positive rate at which the false positive rate is read."""


def statistic(scores: np.ndarray, wanted: np.ndarray) -> Statistic:
    """[draws, 3] of AUROC, average precision and false positive rate at 95 % true positives.

    `scores` [n], `wanted` [n] bool. Average precision is the step sum, as scikit-learn's: sum over thresholds of
    (recall gained) * precision. A draw without positives or negatives is NaN.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # the last place of each run of ties
    positive = wanted[order].astype(np.float32)

    def of(weights: np.ndarray) -> np.ndarray:
        drawn = weights[:, order]
        hits = np.cumsum(drawn * positive, axis=1, dtype=np.float64)[:, ends]
        alarms = np.cumsum(drawn, axis=1, dtype=np.float64)[:, ends] - hits
        hits_all, alarms_all = hits[:, -1:], alarms[:, -1:]
        with np.errstate(invalid="ignore", divide="ignore"):
            steps = np.diff(hits, axis=1, prepend=0.0)
            auroc = (np.diff(alarms, axis=1, prepend=0.0) * (hits - steps / 2)).sum(axis=1) / (hits_all * alarms_all)[
                :, 0
            ]
            precision = np.where(hits + alarms > 0, hits / (hits + alarms), 0.0)
            average = (steps * precision).sum(axis=1) / hits_all[:, 0]
            at = (hits >= TRUE_RATE * hits_all - 1e-9).argmax(axis=1)
            false_rate = alarms[np.arange(len(at)), at] / alarms_all[:, 0]
        return np.stack([auroc, average, np.where(hits_all[:, 0] > 0, false_rate, np.nan)], axis=1)

    return of
