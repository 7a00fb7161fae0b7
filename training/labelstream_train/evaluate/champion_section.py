"""Report section that compares the package with the one in use: which labels and texts gain or lose."""

from typing import Any

from ..page import Badge, Part, Section, Table
from . import plots
from .terms import terms
from .wording import chance, points

DRAWN = 20
"""Labels in the plot, by size of the difference; the table has all."""
ROWS_OPEN = 30
TEXTS_OPEN = 10


def champion(compared: dict[str, Any] | None, is_multi_label: bool) -> Section | None:
    """`compared` as the gate's comparison.json has it; None if there is no package in use."""
    if compared is None:
        return None
    name = f"{compared['name']} {compared['version']}"
    found, texts = compared["comparison"], compared["texts"]
    gap = found["accuracy_difference"]
    verdict = (
        "better than" if gap["low"] > 0 else "worse than" if gap["high"] < 0 else "not significantly different from"
    )
    said = (
        f"{verdict.capitalize()} {name}, the package in use: accuracy {points(gap)} points, on the same "
        f"{found['n']:,} test texts. {texts['changed']:,} texts get another label: {texts['fixed']:,} are fixed, "
        f"{texts['broken']:,} broken, the others wrong both times. McNemar's test: mid-p "
        f"{chance(found['p_mid'])}."
    )
    notes = [f"It adds {_names(compared['labels_gained'])}."] if compared["labels_gained"] else []
    if compared["labels_lost"]:
        notes.append(f"It no longer has {_names(compared['labels_lost'])}.")
    if compared["texts_left_out"]:
        notes.append(f"{compared['texts_left_out']:,} test texts of labels that {name} does not have are left out.")
    return Section(
        "Compared with the package in use",
        [said, *notes, _totals(found, is_multi_label),
         terms("fixed, broken", "McNemar's test", "points"), *_labels(compared["labels"]),
         *_texts(compared)],
    )  # fmt: skip


def _totals(found: dict[str, Any], is_multi_label: bool) -> Table:
    """Differences of the metrics; if single-label, micro-F1 is accuracy."""
    names = [("accuracy", "accuracy_difference"), ("macro-F1", "macro_f1_difference")]
    if is_multi_label:
        names[0] = ("exact match of the label set", "accuracy_difference")
        names.append(("micro-F1", "micro_f1_difference"))
    rows = [[name, points(found[key]), _told(found[key])] for name, key in names]
    return Table(["metric", "difference, points", ""], rows, "New minus old, with 95 % intervals")


def _told(gap: dict[str, Any]) -> Badge:
    if gap["low"] > 0:
        return Badge("better", "good")
    return Badge("worse", "bad") if gap["high"] < 0 else Badge("no significant difference", "quiet")


def _labels(rows: list[dict[str, Any]]) -> list[Part]:
    ordered = sorted(rows, key=lambda row: (row["difference"]["value"], row["label"]))
    moved = [row for row in ordered if row["difference"]["value"]]
    if not moved:
        return ["No label's F1 changes."]
    largest = sorted(moved, key=lambda row: -abs(row["difference"]["value"]))[:DRAWN]
    drawn = [(row["label"], row["difference"]) for row in ordered if row in largest]
    caption = "Change of F1 by label, worst first: green is better, red worse, grey not significant."
    if len(drawn) < len(rows):
        caption += f" The {len(drawn)} largest of {len(rows)} labels."
    cells = [
        [row["label"], row["n"], _percent(row["before"]), _percent(row["after"]), points(row["difference"]),
         chance(row["p_adjusted"]), _sure(row)]
        for row in ordered
    ]  # fmt: skip
    columns = ["label", "texts", "F1 before, %", "F1 now, %", "difference, points", "p, corrected", ""]
    table = Table(columns, cells, "All labels, largest loss first", folded=len(cells) > ROWS_OPEN)
    return [
        plots.bars(drawn, caption, "Bars of differences of F1 with intervals.", "percentage points of F1"),
        terms("F1", "p, corrected"),
        table,
    ]


def _sure(row: dict[str, Any]) -> Badge | str:
    """Among many labels some intervals exclude 0 by chance, so the corrected p decides."""
    if row["p_adjusted"] >= 0.05:
        return ""
    return Badge("better", "good") if row["difference"]["value"] > 0 else Badge("worse", "bad")


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.1f}"


def _texts(compared: dict[str, Any]) -> list[Part]:
    found: list[Part] = []
    for name, words in (
        ("broken", "that only the old package gets right"),
        ("fixed", "that only the new one gets right"),
    ):
        rows = [[each["text"], each["truth"], each["before"], each["after"]] for each in compared[name]]
        if rows:
            count = compared["texts"][name]
            shown = "all" if count == len(rows) else f"{len(rows)} of {count:,}"
            columns = ["text", "true label", "before", "now"]
            found.append(Table(columns, rows, f"Texts {words}: {shown}", folded=len(rows) > TEXTS_OPEN))
    return found


def _names(labels: list[str]) -> str:
    shown = ", ".join(labels[:5])
    return shown + (f" and {len(labels) - 5} more labels" if len(labels) > 5 else "")
