"""Report sections about the test texts: metrics, labels, confusions, calibration, abstaining."""

from typing import Any

from ..page import Part, Section, Table
from . import plots
from .terms import sentence, terms
from .wording import NO_SHARES, area, hundredths, number, percent, words_of

ROWS_OPEN = 30
"""A longer table is folded."""
EXAMPLES = 2
"""Example texts per confusion."""


def figures(report: dict[str, Any]) -> Section:
    """Every overall metric with its meaning; shares and losses in separate tables."""
    warned = [f"Note: {sentence}" for sentence in report["warnings"]]
    rows: dict[bool, list[list[str]]] = {True: [], False: []}
    for name, each in report["estimates"].items():
        words, is_share = words_of(name, report["is_multi_label"]), name not in NO_SHARES
        value = hundredths(each, 2) if is_share else number(each)
        rows[is_share].append([words, value, sentence(words)])
    return Section("Metrics", [
        *warned,
        Table(["metric", "value, %", "meaning"], rows[True], "Shares, with 95 % intervals"),
        Table(["metric", "value", "meaning"], rows[False], "Losses: lower is better"),
    ])  # fmt: skip


def labels(report: dict[str, Any]) -> Section:
    """F1 of each label as a plot and a table, worst first."""
    rows = sorted(report["classes"], key=lambda row: 2.0 if row["f1"]["value"] is None else row["f1"]["value"])
    columns = ["label", "texts", "predicted", "precision, %", "recall, %", "F1, %"]
    cells = [[row["label"], row["n"], row["guessed"], *(hundredths(row[key]) for key in ("precision", "recall", "f1"))]
             for row in rows]  # fmt: skip
    known = ["precision", "recall", "F1"]
    if report["is_multi_label"]:
        columns += ["threshold", "average precision, %", "AUROC", "calibration error, %"]
        extra = [[f"{row['threshold']:.3f}", hundredths(row["average_precision"]), area(row["auroc"]),
                  hundredths(row["calibration_error"])] for row in rows]  # fmt: skip
        cells = [first + second for first, second in zip(cells, extra, strict=True)]
        known += ["mean average precision", "mean AUROC of the labels"]
    table = Table(columns, cells, "All labels, worst F1 first", folded=len(cells) > ROWS_OPEN)
    return Section("Labels", [terms(*known), plots.labels(report["classes"]), table])


def confusions(report: dict[str, Any]) -> Section | None:
    """Which labels are confused, with example texts; None if multi-label."""
    if report["confusion_matrix"] is None:
        return None
    texts: dict[tuple[str, str], list[str]] = {}
    for each in report.get("mistakes") or []:
        texts.setdefault((each["truth"], each["guess"]), []).append(each["text"])
    rows = [[row["truth"], row["guess"], row["n"], hundredths(row["share"]),
             *([" / ".join(texts.get((row["truth"], row["guess"]), [])[:EXAMPLES]) or None] if texts else [])]
            for row in report["confusions"]]  # fmt: skip
    columns = ["true label", "predicted", "texts", "of this label's texts, %", *(["for example"] if texts else [])]
    names = [row["label"] for row in report["classes"]]
    parts: list[Part] = [
        f"The most frequent confusion is {each['truth']} as {each['guess']}: {each['n']} texts, "
        f"{percent(each['share'])} of the label."
        for each in report["confusions"][:1]
    ]
    parts.append(Table(columns, rows, "The largest confusions") if rows else "No test text gets a wrong label.")
    return Section("Confusions", [*parts, plots.confusion(report["confusion_matrix"], names), *_mistakes(report)])


def _mistakes(report: dict[str, Any]) -> list[Table]:
    found = report.get("mistakes")
    if not found:
        return []
    rows = [[each["text"], each["truth"], each["guess"], f"{100 * each['score']:.1f}",
             f"{100 * each['truth_score']:.1f}"] for each in found]  # fmt: skip
    columns = ["text", "true label", "predicted", "score of the prediction, %", "score of the true label, %"]
    caption = "Misclassified texts, most confident first: wrong labels in the data are often at the top"
    return [Table(columns, rows, caption)]


def calibration(report: dict[str, Any]) -> Section:
    """Calibration: whether scores match the accuracy."""
    found = report["estimates"]["calibration_error"]
    said = f"The scores differ from the accuracy by {percent(found, 2)} on average: the calibration error."
    if report["calibration"] is not None:
        said += f" A perfectly calibrated model would have {100 * report['calibration']['by_chance']:.2f} % by chance."
    rows = [[f"{row['low']:.2f} to {row['high']:.2f}", row["n"], f"{row['confidence']:.3f}", area(row["accuracy"])]
            for row in report["reliability"]]  # fmt: skip
    table = Table(["scores", "number", "mean score", "share right"], rows, "Bins of scores", folded=True)
    figure = plots.reliability(report["reliability"], report["is_multi_label"])
    return Section("Calibration", [said, terms("calibration error (ECE)", "temperature"), figure, table])


def abstaining(report: dict[str, Any]) -> Section | None:
    """What abstaining on uncertain texts gains; None if multi-label."""
    found = report["abstaining"]
    if found is None:
        return None
    parts: list[Part] = [terms("abstaining", "coverage", "margin"), plots.abstaining(found)]
    if found["shipped"] is not None:
        shipped = found["shipped"]
        parts.insert(
            1,
            f"The package abstains below a score of {shipped['threshold']:.3f}: it answers "
            f"{percent(shipped['coverage'])} of the texts, {percent(shipped['accuracy'], 2)} of these right.",
        )
    for name in ("score", "margin"):
        target = found[name]["target"]
        if target is not None:
            parts.append(
                f"For {100 * target['wanted']:g} % accuracy by {name}: threshold {target['threshold']:.3f} (chosen on "
                f"{target['chosen_on']}) answers {percent(target['coverage'])} of the test texts, "
                f"{percent(target['accuracy'])} of these right."
            )
        rows = [[f"{each['threshold']:.4f}", hundredths(each["coverage"]), hundredths(each["accuracy"], 2)]
                for each in found[name]["points"]]  # fmt: skip
        caption = f"By {name}; area under error over coverage {percent(found[name]['area'], 2)}"
        parts.append(Table(["threshold", "answered, %", "accuracy, %"], rows, caption, folded=True))
    return Section("Abstaining", parts)
