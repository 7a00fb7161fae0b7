"""Report sections about other conditions: slices, perturbed texts, out-of-scope texts, speed."""

from typing import Any

from ..page import Badge, Part, Section, Table
from . import plots
from .terms import terms
from .wording import area, chance, hundredths, number, points, rate

SLICES_DRAWN = 25
"""Most bars in a plot; the table has all."""
ROWS_OPEN = 40
"""A longer table is folded."""


def slices(report: dict[str, Any]) -> Section | None:
    """Slices of the test texts compared with all of them."""
    if not report["slices"]:
        return None
    figure = report["slices"][0]["figure"].replace("sample_f1", "mean F1 of the texts")
    rows = [
        [f"{row['slice']}: {row['value']}", row["n"], hundredths(row["estimate"]), points(row["gap"]),
         chance(row["p_adjusted"]), _slice_verdict(row)]
        for row in report["slices"]
    ]  # fmt: skip
    drawn = [(f"{row['slice']}: {row['value']}", row["gap"]) for row in report["slices"] if not row["is_small"]]
    parts: list[Part] = [
        f"{figure[0].upper()}{figure[1:]} of slices of the test texts and of all of them. Small slices are not judged.",
        terms("points", "p, corrected"),
    ]
    if drawn:
        worst = sorted(drawn, key=lambda each: each[1]["value"])[:SLICES_DRAWN]
        caption = "Gap of each slice to all texts: green is better, red worse, grey not significant."
        parts.append(plots.bars(worst, caption, "Bars of differences with intervals.", "percentage points"))
    columns = ["slice", "texts", f"{figure}, %", "gap, points", "p, corrected", ""]
    parts.append(Table(columns, rows, "All slices", folded=len(rows) > ROWS_OPEN))
    return Section("Slices", parts)


def _slice_verdict(row: dict[str, Any]) -> Badge:
    if row["is_small"]:
        return Badge("too small", "quiet")
    if row["p_adjusted"] >= 0.05:
        return Badge("no significant gap", "quiet")
    return Badge("worse", "bad") if row["gap"]["value"] < 0 else Badge("better", "good")


def robustness(report: dict[str, Any]) -> Section | None:
    """Accuracy on perturbed texts."""
    if not report["robustness"]:
        return None
    ordered = sorted(report["robustness"], key=lambda row: row["change"]["value"])
    rows = [
        [row["name"], row["example"], row["n"], hundredths(row["accuracy"]), points(row["change"]),
         hundredths(row["flips"])]
        for row in ordered
    ]  # fmt: skip
    figure = "mean F1 of the texts" if report["is_multi_label"] else "accuracy"
    caption = "Change if the same texts are written differently: red is a significant loss."
    changes = [(row["name"], row["change"]) for row in ordered]
    drawn = plots.bars(changes, caption, "Bars of changes with intervals.", "percentage points")
    columns = ["change", "example", "texts", f"{figure} after, %", "change, points", "label changes, %"]
    return Section("Robustness", [drawn, Table(columns, rows, "Paired, over the texts that the perturbation changes")])


def out_of_scope(report: dict[str, Any]) -> Section | None:
    """How well a low score detects texts that belong to no label."""
    found = report["out_of_scope"]
    if found is None:
        return None
    rows = [
        [row["name"], area(row["auroc"]), area(row["aupr_in"]), area(row["aupr_out"]), hundredths(row["fpr_at_95"])]
        for row in found["scores"]
    ]
    columns = ["by", "AUROC", "AUPR of texts in scope", "AUPR of texts out of scope", "wrongly accepted at 95 %, %"]
    floors = [
        [
            row["name"],
            f"{row['threshold']:.4g}",
            *(hundredths(row[key]) for key in ("kept", "rejected", "accuracy_kept")),
        ]
        for row in found["scores"]
    ]
    effects = ["by", "threshold", "in scope kept, %", "out of scope rejected, %", "accuracy of kept, %"]
    said = (
        f"{found['n_out']:,} texts that belong to no label against {found['n_in']:,} that do: how well a low "
        f"score detects the former. Best by AUROC: {found['best']}. The threshold keeps 95 % of the in-scope texts "
        f"that it was chosen on ({found['scores'][0]['chosen_on']})."
    )
    words = terms("by", "AUROC", "AUPR", "wrongly accepted at 95 %")
    tables = [Table(columns, rows, "Detection"), Table(effects, floors, "Effect of a threshold on each score")]
    return Section("Out of scope", [said, words, *tables])


def speed(report: dict[str, Any]) -> Section | None:
    """Latency of one text, and throughput of many."""
    found = report["speed"]
    if found is None:
        return None
    on = found["machine"]
    steal = "unknown" if found["steal"] is None else f"{100 * found['steal']:.1f} %"
    said = (
        f"{on['processor'] or on['system']}, {on['cores']} cores, "
        f"{', '.join(on['instructions']) or 'instruction sets unknown'}; "
        f"load {found['load_before']} before and {found['load_after']} after, {steal} of the time stolen by the "
        "host. Measured in Python with the tokenizer; `make bench` measures the classifier itself."
    )
    single = [[row["tokens"], row["threads"], number(row["p50_ms"]), number(row["p99_ms"])] for row in found["single"]]
    batch = [
        [row["threads"], row["texts"], f"{row['tokens']:.1f}", rate(row["texts_per_second"])] for row in found["batch"]
    ]
    return Section("Speed", [
        said, terms("p50, p99", "tokens"),
        Table(["tokens", "threads", "p50, ms", "p99, ms"], single, "Latency of one text"),
        Table(["threads", "texts at once", "mean tokens", "texts per second"], batch, "Throughput"),
    ])  # fmt: skip
