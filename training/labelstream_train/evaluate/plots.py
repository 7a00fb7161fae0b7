"""The plots of the report, from values of report.json."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..page import COLOURS, Figure, distinct, plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MATRIX_MAX = 30
"""Most labels in a readable matrix."""
LABELS_MAX = 40
"""Most bars in a readable plot; the table has all."""


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

    return plot(paint, "Reliability: on the line, scores equal the accuracy.",
                "Accuracy against the mean score, for each of up to 15 bins of scores.")  # fmt: skip


def confusion(matrix: list[list[int]], labels: list[str]) -> Figure:
    """Texts of each true label by answer, with numbers; of many labels, those confused most."""
    counts = np.array(matrix, int)
    places = _worst(counts)
    counts, names = counts[np.ix_(places, places)], distinct([labels[place] for place in places], 36)
    totals = np.maximum(np.array(matrix, int).sum(axis=1)[places], 1)

    def paint(axes: "Axes") -> None:
        shares = counts / totals[:, None]
        from matplotlib.colors import to_rgba

        shades = np.tile(to_rgba(COLOURS[0]), (*shares.shape, 1))
        shades[..., 3] = np.sqrt(shares)  # transparent for 0: shows the page's own colour, light or dark
        axes.imshow(shades, interpolation="nearest")
        for row, column in np.argwhere(counts > 0):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=7, color=colour)
        axes.grid(False)
        axes.set(xlabel="predicted", ylabel="true")
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)

    size = max(4.5, 2.2 + 0.24 * len(names))
    caption = (
        "Confusions: number of texts of each true label (row) by prediction (column). Labels that are "
        "confused are neighbours."
    )
    if len(names) < len(labels):
        caption += (
            f" Shows the {len(names)} of {len(labels)} labels that are confused most; the table of labels has all."
        )
    return plot(paint, caption, "Matrix of true labels against predictions; a strong diagonal is good.", size + 1, size,
                True)  # fmt: skip


def _worst(counts: np.ndarray) -> list[int]:
    """The labels to show, ordered so that confused labels are neighbours."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    both = wrong + wrong.T
    places = sorted(np.argsort(-both.sum(axis=1), kind="stable")[:MATRIX_MAX].tolist())
    if len(places) < 3:
        return places
    near = both[np.ix_(places, places)].astype(float)
    distance = 1.0 / (1.0 + near)
    np.fill_diagonal(distance, 0)
    order = leaves_list(linkage(squareform(distance, checks=False), method="average"))
    return [places[each] for each in order]


def labels(rows: list[dict[str, Any]]) -> Figure:
    """F1 of each label with its interval, worst on top."""
    found = [row for row in rows if row["f1"]["value"] is not None]
    drawn = sorted(found, key=lambda row: row["f1"]["value"])[:LABELS_MAX]

    def paint(axes: "Axes") -> None:
        places = np.arange(len(drawn))[::-1]
        value, low, high = (np.array([100 * row["f1"][key] for row in drawn]) for key in ("value", "low", "high"))
        axes.barh(places, value, alpha=0.6)
        spread = np.maximum([value - low, high - value], 0)
        axes.errorbar(value, places, xerr=spread, fmt="none", ecolor=COLOURS[5], capsize=2, linewidth=1)
        names = distinct([row["label"] for row in drawn], 46)
        axes.set_yticks(places, [f"{name} ({row['n']})" for name, row in zip(names, drawn, strict=True)], fontsize=8)
        axes.set(xlabel="F1, %", xlim=(0, 102))
        axes.margins(y=0.01)

    caption = (
        "F1 of each label (in brackets: its test texts), the harmonic mean of precision and recall, with 95 % "
        "intervals."
    )
    if len(drawn) < len(found):
        caption += f" The {len(drawn)} worst of {len(found)}."
    return plot(paint, caption, "Bars of F1 for each label, the worst first.", 7.0, 0.9 + 0.22 * len(drawn), True)


def abstaining(found: dict[str, Any]) -> Figure:
    """Accuracy of the answers against coverage, by score and by margin."""

    def paint(axes: "Axes") -> None:
        for name, words in (("score", "by the best score"), ("margin", "by the margin to the second")):
            points = found[name]["points"]
            coverage = [each["coverage"]["value"] for each in points]
            low, value, high = ([each["accuracy"][key] for each in points] for key in ("low", "value", "high"))
            axes.plot(coverage, value, marker=".", label=words)
            axes.fill_between(coverage, low, high, alpha=0.15)
        axes.set(xlabel="coverage", ylabel="accuracy of the answers")
        axes.legend(loc="lower left")

    return plot(paint, "Abstaining: accuracy of the answers by coverage, with 95 % bands.",
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
        axes.set_yticks(places, distinct([name for name, _ in rows], 48), fontsize=8)
        axes.set(xlabel=unit)

    return plot(paint, caption, description, 7.0, 0.8 + 0.26 * len(rows), True)


def epochs(rows: list[dict[str, float]], quality: str) -> Figure:
    """Loss on train and held-out texts above, the held-out quality below; a line marks the epoch that was chosen."""
    places = [row["epoch"] for row in rows]
    chosen = next(row["epoch"] for row in rows if row["chosen"])

    def paint(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        whole = axes.figure
        axes.remove()
        above, below = whole.subplots(2, 1, sharex=True)
        above.plot(places, [row["train_loss"] for row in rows], marker=".", label="train loss")
        above.plot(places, [row["held_out_log_loss"] for row in rows], marker=".", label="held-out log loss")
        above.set_ylabel("nats")
        above.legend(loc="upper right")
        below.plot(places, [100 * row["held_out_quality"] for row in rows], marker=".", color=COLOURS[2])
        below.set(xlabel="epoch", ylabel=f"held-out {quality}, %")
        below.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        for each in (above, below):
            each.axvline(chosen, linestyle="--", linewidth=1, color=COLOURS[5])

    caption = f"Training by epoch; the dashed line marks the chosen epoch, {chosen:.0f}."
    return plot(paint, caption, "Two lines of loss over epochs, and one of held-out quality.", height=4.2)


def texts(points: list[dict[str, Any]]) -> Figure:
    """The baseline's accuracy by number of training texts."""

    def paint(axes: "Axes") -> None:
        counts = [each["texts"] for each in points]
        value, low, high = (
            np.array([100 * each["accuracy"][key] for each in points]) for key in ("value", "low", "high")
        )
        axes.errorbar(counts, value, yerr=np.maximum([value - low, high - value], 0), marker="o", capsize=3)
        axes.set_xlim(0, 1.08 * counts[-1])
        axes.set(xlabel="training texts", ylabel="accuracy of the baseline, %")

    return plot(paint, "The baseline's accuracy by number of training texts, with 95 % intervals.",
                "A line of accuracy over numbers of training texts.", height=2.6)  # fmt: skip


def _column(rows: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([row[key] for row in rows], float)


def _middle(rows: list[dict[str, Any]]) -> np.ndarray:
    return (_column(rows, "low") + _column(rows, "high")) / 2
