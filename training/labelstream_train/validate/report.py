"""The report about the data: report.json for programs, whose keys stay, and report.html for people."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..data.load import Loaded
from ..page import Badge, Section, Table, Tone, distinct, page, plot
from .checks import Checked
from .finding import SEVERITIES, Finding, Severity, percent

FORMAT = 1
TONES: dict[Severity, Tone] = {"error": "bad", "warning": "warn", "info": "quiet"}
LABELS_DRAWN_MAX = 60


def write(checked: Checked, loaded: Loaded, name: str, folder: Path) -> None:
    """Writes both files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content(checked, loaded, name), indent=1, ensure_ascii=False) + "\n"
    (folder / "report.json").write_text(text, encoding="utf-8")
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
        verdict = f"Refused: {len(checked.errors)} kinds of errors in {rows:,} rows."
    else:
        verdict = f"No errors in {rows:,} rows; {len(checked.findings)} kinds of things to know."
    sections = [_findings(checked), *map(_finding, checked.findings), _parts(checked, loaded)]
    if checked.figures["labels"]:
        sections.append(_labels(checked.figures["labels"]))
    sections.append(_texts(checked.figures))
    return page(f"Data check: {name}", sections, verdict)


def _findings(checked: Checked) -> Section:
    rows = [
        (Badge(each.severity, TONES[each.severity]), each.title, each.count, percent(each.share), each.message)
        for each in checked.findings
    ]
    table = Table(("", "finding", "count", "share", "what"), rows)
    return Section("Findings", [table] if rows else ["None."])


def _finding(finding: Finding) -> Section:
    parts: list[str | Table] = [f"{finding.message}.\nWhat to do: {finding.action}."]
    if finding.examples:
        columns = list(dict.fromkeys(key for example in finding.examples for key in example))
        rows = [[_cell(example.get(column)) for column in columns] for example in finding.examples]
        parts.append(Table(columns, rows, f"{len(rows)} of {finding.count:,}; personal data masked, long texts cut"))
    parts.append(f"Known to settings as `{finding.id}` (validate.severity).")
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
            Table(("part", "file", "rows", "sha256, its start"), files, "As read"),
            Table(("part", "texts"), list(parts.items()), "As cut for training, after dropping overlaps"),
        ],
    )


def _labels(labels: list[dict[str, Any]]) -> Section:
    drawn = labels[:LABELS_DRAWN_MAX]
    names = distinct([each["label"] for each in drawn], 34)
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
    figure = plot(paint, caption, "bars: texts in train and test for each label", height=1 + 0.24 * len(drawn))
    columns = ("label", "train", "held out", "test", "median characters", "an example of train")
    rows = [[each["label"], each["train"], each["held_out"], each["test"], each["characters"], each["example"]]
            for each in labels]  # fmt: skip
    table = Table(columns, rows, "All labels; personal data masked, long texts cut", folded=len(rows) > 30)
    return Section(f"Labels: {len(labels)}", [figure, table])


def _texts(figures: dict[str, Any]) -> Section:
    parts: list[str | Table] = []
    lengths = {unit: found for unit, found in figures["lengths"].items() if found is not None}
    if lengths:
        columns = ("mean", "p50", "p95", "p99", "max")
        rows = [[unit, *(found[column] for column in columns)] for unit, found in lengths.items()]
        parts.append(Table(("length in", *columns), rows, "Lengths of all texts"))
    for name in ("languages", "scripts"):
        parts.append(Table((name, "texts"), list(figures[name].items())[:20], f"The most frequent {name}"))
    if figures["time"] is not None:
        parts.append(f"Times from {figures['time']['from']} to {figures['time']['to']} (UTC).")
    if figures["groups"] is not None:
        parts.append(f"{figures['groups']:,} groups.")
    return Section("Texts", parts)
