"""Report section about learning: the training curve, and whether more texts would help."""

from typing import Any

from ..page import Part, Section
from . import plots
from .terms import terms
from .wording import percent


def learning(report: dict[str, Any]) -> Section | None:
    """The curve over epochs, and the baseline's over texts; None if both are missing."""
    epochs, floor = report.get("learning"), report.get("baseline")
    parts: list[Part] = []
    if epochs:
        chosen = next(each for each in epochs if each["chosen"])
        quality = "mean average precision" if report["is_multi_label"] else "accuracy"
        parts.append(
            f"{len(epochs)} epochs; the package has the weights of epoch {chosen['epoch']:.0f}, with a held-out "
            f"{quality} of {100 * chosen['held_out_quality']:.1f} %."
        )
        parts += [plots.epochs(epochs, quality), terms("epoch", "held out", "train loss", "log loss")]
    points = (floor or {}).get("curve") or []
    if len(points) > 1:
        parts += [_more_texts(points), plots.texts(points)]
    return Section("Learning", parts) if parts else None


def _more_texts(points: list[dict[str, Any]]) -> str:
    half, whole = points[-2], points[-1]
    gain = 100 * (whole["accuracy"]["value"] - half["accuracy"]["value"])
    advice = (
        "So more labelled texts are likely to help"
        if whole["accuracy"]["value"] > half["accuracy"]["high"]
        else "So more texts of the same kind are likely to help little"
    )
    return (
        f"Would more texts help? The baseline (word counts) has an accuracy of "
        f"{percent(half['accuracy'])} with half of the texts and {percent(whole['accuracy'])} with all "
        f"{whole['texts']:,}: {gain:+.1f} points for twice as many texts. {advice}."
    )
