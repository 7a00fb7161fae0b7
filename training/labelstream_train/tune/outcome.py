"""The result of a trial on each text, and whether one trial is significantly better than another.

The best of many trials beats the default by luck alone. A gain counts only if the 95 % interval of the paired
difference, corrected for the number of trials (Bonferroni), excludes zero. Log loss is computed after fitting the
temperature, as in the export: otherwise less label smoothing would always look like a gain.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from ..package.calibration import fit_temperature, sigmoid

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    """[texts] each, in the order of the folds. `right` is None when multi-label: then log loss decides."""

    right: np.ndarray | None
    loss: np.ndarray

    @classmethod
    def of(cls, logits: np.ndarray, truth: np.ndarray) -> "Outcome":
        """`truth` as `Parts.truth` gives it."""
        is_multi = truth.ndim == 2
        temperature = fit_temperature(logits, truth, is_multi)
        if is_multi:
            shares = np.clip(sigmoid(logits, temperature), 1e-12, 1 - 1e-12)
            return cls(None, -(truth * np.log(shares) + (1 - truth) * np.log(1 - shares)).sum(axis=1))
        scaled = logits.astype(np.float64) / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        loss = np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]
        return cls(logits.argmax(axis=1) == truth, loss)

    def save(self, path: Path) -> None:
        """Writes one file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {"loss": self.loss} | ({} if self.right is None else {"right": self.right})
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Outcome | None":
        """What `save` wrote; None if there is no file."""
        if not path.is_file():
            return None
        with np.load(path) as arrays:
            return cls(arrays.get("right"), arrays["loss"])


def compare(default: Outcome, tuned: Outcome, trials: int) -> dict[str, Any]:
    """Tuned minus default: `accuracy` (None when multi-label) and `log_loss`, each with its interval.

    `is_gain`: accuracy is significantly higher, or not lower with a significantly lower log loss.
    """
    z = NormalDist().inv_cdf(1 - ALPHA / 2 / max(1, trials - 1))
    loss = tuned.loss - default.loss
    half = z * float(loss.std(ddof=1)) / np.sqrt(len(loss)) if len(loss) > 1 else float("inf")
    log_loss = {"value": float(loss.mean()), "low": float(loss.mean() - half), "high": float(loss.mean() + half)}
    accuracy = None
    if default.right is not None and tuned.right is not None:
        accuracy = _difference(default.right, tuned.right, z)
    is_right_gain = accuracy is not None and accuracy["low"] > 0
    is_not_worse = accuracy is None or accuracy["value"] >= 0
    is_gain = is_right_gain or (is_not_worse and log_loss["high"] < 0)
    return {"texts": len(loss), "comparisons": max(1, trials - 1), "accuracy": accuracy, "log_loss": log_loss,
            "is_gain": bool(is_gain)}  # fmt: skip


def _difference(before: np.ndarray, after: np.ndarray, z: float) -> dict[str, float]:
    """Bonett and Price 2012, equation 2, at any level."""
    count = len(before)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    up, down = (gained + 1) / (count + 2), (lost + 1) / (count + 2)
    half = z * float(np.sqrt((up + down - (up - down) ** 2) / (count + 2)))
    return {"value": (gained - lost) / count, "low": max(-1.0, up - down - half), "high": min(1.0, up - down + half)}
