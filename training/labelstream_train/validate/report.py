"""The data report: report.json, with stable keys, for programs, and report.html for people."""

from pathlib import Path
from typing import Any

import numpy as np

from .. import json_file
from ..data.load import Loaded
from ..page import Badge, Headline, Part, Section, Table, Terms, Tone, distinct, page, plot
from .checks import Checked
from .finding import SEVERITIES, Finding, Severity, counted, percent

FORMAT = 1
TONES: dict[Severity, Tone] = {"error": "bad", "warning": "warn", "info": "quiet"}
LABELS_DRAWN_MAX = 60
LENGTHS = {"mean": "mean", "p50": "half are at most", "p95": "95 in 100 are at most",
           "p99": "99 in 100 are at most", "max": "the longest"}  # fmt: skip
"""Key of `lengths` -> words."""


def write(checked: Checked, loaded: Loaded, name: str, folder: Path) -> None:
    """Writes both files into `folder`."""
    json_file.write(folder / "report.json", content(checked, loaded, name))
    (folder / "report.html").write_text(html(checked, loaded, name), encoding="utf-8")


def content(checked: Checked, loaded: Loaded, name: str) -> dict[str, Any]:
    """What report.json holds."""
    counts = {severity: sum(each.severity == severity for each in checked.findings) for severity in SEVERITIES}
    return {
        "format": FORMAT,
        "passed": not checked.errors,
        "data": name,
        "files": list(loaded.files),
        "ignored_files": list(loaded.ignored),
        "severities": counts,
        "findings": [finding.json() for finding in checked.findings],
        **checked.figures,
    }


def html(checked: Checked, loaded: Loaded, name: str) -> str:
    """The page."""
    rows = checked.figures["counts"]["read"]
    if checked.errors:
        verdict = f"Refused: {len(checked.errors)} kind(s) of errors in {rows:,} rows."
    else:
        verdict = f"No errors in {rows:,} rows; {len(checked.findings)} other findings."
    sections = [_headline(checked), _findings(checked), *map(_finding, checked.findings), _parts(checked, loaded)]
    if checked.figures["labels"]:
        sections.append(_labels(checked.figures["labels"]))
    sections.append(_texts(checked.figures))
    return page(f"Data check: {name}", sections, verdict)


def _headline(checked: Checked) -> Section:
    """The verdict, and how many texts there are for training and testing."""
    errors, parts = len(checked.errors), checked.figures["counts"]["parts"]
    warnings = sum(each.severity == "warning" for each in checked.findings)
    others = len(checked.findings) - errors - warnings
    below = f"{errors} kind(s) of errors, {warnings} of warnings, {others} of notes"
    figures: list[tuple[str, str, str, Tone]] = [
        ("refused" if errors else "accepted", "the data", below, "bad" if errors else "warn" if warnings else "good")
    ]
    if parts is not None:
        smallest = min(checked.figures["labels"], key=lambda each: each["train"])
        fewest = f"the smallest, {smallest['label']}, has {counted(smallest['train'], 'text')}"
        figures.append((f"{len(checked.figures['labels']):,}", "labels", fewest, "quiet"))
        figures.append((f"{parts['train']:,}", "training texts", f"{parts['held_out']:,} more are held out", "quiet"))
        figures.append((f"{parts['test']:,}", "test texts", "used for no choice", "quiet"))
    return Section("", [Headline(figures)])


def _findings(checked: Checked) -> Section:
    rows = [
        (Badge(each.severity, TONES[each.severity]), each.title, each.count, percent(each.share).removesuffix(" %"),
         each.message)
        for each in checked.findings
    ]  # fmt: skip
    meanings = Terms([("error", "the data is refused until this is fixed."),
                      ("warning", "training continues; look at it before you trust the metrics."),
                      ("info", "worth knowing; usually fine.")])  # fmt: skip
    table = Table(("", "finding", "count", "share, %", "what"), rows)
    return Section("Findings", [meanings, table] if rows else ["None."])


def _finding(finding: Finding) -> Section:
    parts: list[Part] = [f"{finding.message[0].upper()}{finding.message[1:]}.\nWhat to do: {finding.action}."]
    if finding.examples:
        columns = list(dict.fromkeys(key for example in finding.examples for key in example))
        rows = [[_cell(example.get(column)) for column in columns] for example in finding.examples]
        parts.append(Table(columns, rows, f"{len(rows)} of {finding.count:,}; personal data masked, long texts cut"))
    parts.append(f"Id for validate.severity: `{finding.id}`.")
    return Section(finding.title, parts)


def _cell(value: object) -> object:
    if isinstance(value, dict):
        return f"{value['place']}: {value['text']} [{', '.join(value['labels'])}]"
    return ", ".join(value) if isinstance(value, list) else value


def _parts(checked: Checked, loaded: Loaded) -> Section:
    files = [(each["part"], each["name"], each["rows"], each["sha256"][:16]) for each in loaded.files]
    parts = checked.figures["counts"]["parts"] or {}
    return Section(
        "Files and parts",
        [
            Table(("part", "file", "rows", "start of sha256"), files, "As read"),
            Table(
                ("part", "texts"),
                [(name.replace("_", " "), count) for name, count in parts.items()],
                "After the split, without overlaps",
            ),
        ],
    )


def _labels(labels: list[dict[str, Any]]) -> Section:
    drawn = labels[:LABELS_DRAWN_MAX]
    names = distinct([each["label"] for each in drawn], 46)
    places = np.arange(len(drawn))

    def paint(axes: Any) -> None:
        axes.barh(places - 0.2, [each["train"] for each in drawn], height=0.4, label="train")
        axes.barh(places + 0.2, [each["test"] for each in drawn], height=0.4, label="test")
        axes.set_yticks(places, names, fontsize=8)
        axes.invert_yaxis()
        axes.set_xlabel("texts")
        axes.margins(y=0.01)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)

    caption = "Texts per label" + (f": the first {LABELS_DRAWN_MAX}" if len(labels) > LABELS_DRAWN_MAX else "")
    figure = plot(paint, caption, "bars: texts in train and test for each label", 7.0, 1 + 0.24 * len(drawn), True)
    columns = ("label", "train texts", "held-out texts", "test texts", "median characters", "example from train")
    meanings = Terms([
        ("train", "texts that the model is trained on."),
        ("held out", "texts that the epoch, temperature and thresholds are chosen on."),
        ("test", "texts that nothing is chosen on: they measure the package."),
        ("median", "half of the label's texts are at most this long."),
    ])  # fmt: skip
    rows = [[each["label"], each["train"], each["held_out"], each["test"], each["characters"], each["example"]]
            for each in labels]  # fmt: skip
    table = Table(columns, rows, "All labels; personal data masked, long texts cut", folded=len(rows) > 30)
    return Section(f"Labels: {len(labels)}", [meanings, figure, table])


def _texts(figures: dict[str, Any]) -> Section:
    parts: list[Part] = []
    lengths = {unit: found for unit, found in figures["lengths"].items() if found is not None}
    if lengths:
        rows = [[words, *(found[key] for found in lengths.values())] for key, words in LENGTHS.items()]
        parts.append(Table(("length of the texts", *lengths), rows, "Lengths of all texts"))
    for name in ("languages", "scripts"):
        parts.append(Table((name, "texts"), list(figures[name].items())[:20], f"The most frequent {name}"))
    if figures["time"] is not None:
        parts.append(f"Times from {figures['time']['from']} to {figures['time']['to']} (UTC).")
    if figures["groups"] is not None:
        parts.append(f"{figures['groups']:,} groups.")
    return Section("Texts", parts)
