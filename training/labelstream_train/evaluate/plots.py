"""The figures of the report page; each takes values as report.json has them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..page import COLOURS, Figure, plain, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS_MAX = 30
"""More labels than this cannot be read beside a matrix."""


def reliability(rows: list[dict[str, Any]], is_multi_label: bool) -> Figure:
    """Share right against mean score, with Wilson's intervals, and how many texts each bin has."""

    def paint(axes: "Axes") -> None:
        scores, shares = _column(rows, "confidence"), [row["accuracy"] for row in rows]
        values = np.array([each["value"] for each in shares])
        spread = np.array([[each["value"] - each["low"], each["high"] - each["value"]] for each in shares]).T
        axes.plot([0, 1], [0, 1], linestyle="--", linewidth=1, color=COLOURS[5], label="perfect")
        axes.errorbar(scores, values, yerr=np.maximum(spread, 0), fmt="o", capsize=3, label="measured, 95 %")
        counts = axes.twinx()
        counts.bar(_middle(rows), _column(rows, "n"), width=0.06, alpha=0.2, color=COLOURS[5])
        counts.set_ylabel("pairs of text and label" if is_multi_label else "texts")
        counts.grid(False)
        axes.set(xlabel="score", ylabel="share right", xlim=(0, 1.02), ylim=(0, 1.02))
        axes.legend(loc="upper left")

    return plot(paint, "Reliability: points on the line are scores that mean what they say.",
                "Share of right answers against the mean score, for each of up to 15 bins of scores.")  # fmt: skip


def confusion(matrix: list[list[int]], labels: list[str]) -> Figure:
    """The matrix as shares of each row, dark where much."""

    def paint(axes: "Axes") -> None:
        counts = np.array(matrix, float)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        drawn = axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        ticks = np.array([0, 0.01, 0.05, 0.25, 0.5, 1])
        bar = axes.figure.colorbar(drawn, ax=axes, ticks=np.sqrt(ticks), shrink=0.8)
        bar.ax.set_yticklabels([f"{100 * tick:g} %" for tick in ticks])
        axes.grid(False)
        axes.set(xlabel="answered", ylabel="true")
        if len(labels) <= TICKS_MAX:
            names = [plain(label, 24) for label in labels]
            axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
            axes.set_yticks(range(len(names)), names, fontsize=7)

    size = 4.5 if len(labels) <= 5 else 6.5
    caption = (
        "Confusions: share of the texts of each true label (row) by answer (column), labels in alphabetical order; the "
        "scale is of square roots, so that single confusions can be seen."
    )
    return plot(paint, caption, "Matrix of true labels against answers; a strong diagonal is good.", size + 1, size)


def abstaining(found: dict[str, Any]) -> Figure:
    """Accuracy of what is answered against the share answered, by score and by margin."""

    def paint(axes: "Axes") -> None:
        for name, words in (("score", "by the best score"), ("margin", "by the margin to the second")):
            points = found[name]["points"]
            coverage = [each["coverage"]["value"] for each in points]
            low, value, high = ([each["accuracy"][key] for each in points] for key in ("low", "value", "high"))
            axes.plot(coverage, value, marker=".", label=words)
            axes.fill_between(coverage, low, high, alpha=0.15)
        axes.set(xlabel="share of the texts that are answered", ylabel="accuracy of these")
        axes.legend(loc="lower left")

    return plot(paint, "Abstaining: accuracy of the answers when unsure ones are not given; bands are of 95 %.",
                "Two falling curves: accuracy against the share of texts answered.")  # fmt: skip


def bars(rows: list[tuple[str, dict[str, Any]]], caption: str, description: str, unit: str) -> Figure:
    """Horizontal differences in percentage points with their intervals, the first row on top."""

    def paint(axes: "Axes") -> None:
        places = np.arange(len(rows))[::-1]
        value, low, high = (np.array([100 * each[key] for _, each in rows]) for key in ("value", "low", "high"))
        colours = [COLOURS[3] if top < 0 else COLOURS[2] if bottom > 0 else COLOURS[5]
                   for bottom, top in zip(low, high, strict=True)]  # fmt: skip
        axes.barh(places, value, color=colours, alpha=0.6)
        spread = np.maximum([value - low, high - value], 0)
        axes.errorbar(value, places, xerr=spread, fmt="none", ecolor=COLOURS[5], capsize=2, linewidth=1)
        axes.axvline(0, linewidth=1, color=COLOURS[5])
        axes.set_yticks(places, [plain(name, 48) for name, _ in rows], fontsize=8)
        axes.set(xlabel=unit)

    return plot(paint, caption, description, 7.0, 0.8 + 0.26 * len(rows))


def _column(rows: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([row[key] for row in rows], float)


def _middle(rows: list[dict[str, Any]]) -> np.ndarray:
    return (_column(rows, "low") + _column(rows, "high")) / 2
