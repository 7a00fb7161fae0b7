"""Formats estimates of report.json for people, always with their interval."""

from collections.abc import Mapping
from typing import Any

Estimate = Mapping[str, Any]
NONE = "\u2013"


def percent(estimate: Estimate | None, digits: int = 1) -> str:
    """`93.7 % (92.8 to 94.5)`; a dash if it was not measured."""
    if estimate is None or estimate["value"] is None:
        return NONE
    value, low, high = (f"{100 * estimate[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} % ({low} to {high})"


def hundredths(estimate: Estimate | None, digits: int = 1) -> str:
    """`93.7 (92.8 to 94.5)`: as `percent`, for a column whose heading names the unit."""
    return percent(estimate, digits).replace(" %", "")


def points(estimate: Estimate | None) -> str:
    """A difference of shares in percentage points with its sign: `-1.2 (-2.0 to -0.4)`."""
    if estimate is None or estimate["value"] is None:
        return NONE
    value, low, high = (f"{100 * estimate[key]:+.1f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def number(estimate: Estimate | None, digits: int = 3) -> str:
    """Anything else: `0.934 (0.921 to 0.947)`; three significant digits."""
    if estimate is None or estimate["value"] is None:
        return NONE
    shown = (f"{each:,.0f}" if abs(each) >= 1000 else f"{each:.{digits}g}" for each in _three(estimate))
    return "{} ({} to {})".format(*shown)


def area(estimate: Estimate | None) -> str:
    """An area under a curve or another number 0..=1, in three places."""
    if estimate is None or estimate["value"] is None:
        return NONE
    return "{} ({} to {})".format(*(f"{estimate[key]:.3f}" for key in ("value", "low", "high")))


def rate(estimate: Estimate | None) -> str:
    """Texts per second, whole."""
    if estimate is None or estimate["value"] is None:
        return NONE
    return "{} ({} to {})".format(*(f"{estimate[key]:,.0f}" for key in ("value", "low", "high")))


def _three(estimate: Estimate) -> list[float]:
    return [estimate[key] for key in ("value", "low", "high")]


def chance(p: float | None) -> str:
    """A p value."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "weighted_f1": "weighted F1",
    "sample_f1": "mean F1 of the texts",
    "mean_average_precision": "mean average precision",
    "macro_auroc": "mean AUROC of the labels",
    "ranking_loss": "label-ranking loss",
    "nll": "negative log-likelihood (nats)",
    "brier": "Brier score",
    "calibration_error": "calibration error, 15 bins of equal width",
    "calibration_error_adaptive": "calibration error, 15 bins of equal count",
    "calibration_error_untempered": "calibration error without the temperature",
    "top_3": "top-3 accuracy",
    "top_5": "top-5 accuracy",
    "top_10": "top-10 accuracy",
}
"""Key of `estimates` -> words."""
NO_SHARES = ("nll", "brier")
"""Metrics that are not percentages."""


def figure(name: str, estimate: Estimate, is_multi_label: bool = False) -> tuple[str, str]:
    """(name in words, value with interval) of one of `estimates`."""
    words = words_of(name, is_multi_label)
    return words, number(estimate) if name in NO_SHARES else percent(estimate, 2)


def words_of(name: str, is_multi_label: bool) -> str:
    """The name of one of `estimates`, in words."""
    return "exact match of the label set" if name == "accuracy" and is_multi_label else NAMES.get(name, name)
