"""Small report files for tools such as DVC and Kubeflow: metrics.json and reliability.csv."""

import csv
from pathlib import Path
from typing import Any

from .. import json_file

METRICS = ("accuracy", "macro_f1", "calibration_error", "nll")
RELIABILITY = ("mean_score", "share_right", "number")
WITH_INTERVAL = ("accuracy", "macro_f1")


def write(report: dict[str, Any], folder: Path) -> None:
    """Both files, from a report as `report.plain` gives it."""
    json_file.write(folder / "metrics.json", metrics(report))
    with (folder / "reliability.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(RELIABILITY)
        rows.writerows([row["confidence"], row["accuracy"]["value"], row["n"]] for row in report["reliability"])


def metrics(report: dict[str, Any]) -> dict[str, float]:
    """The main metrics on the test texts, and the baseline's accuracy; shares 0..=1."""
    found: dict[str, float] = {}
    for name in METRICS:
        estimate = report["estimates"][name]
        ends = ("value", "low", "high") if name in WITH_INTERVAL else ("value",)
        found |= {name if end == "value" else f"{name}_{end}": estimate[end] for end in ends}
    if report["baseline"] is not None:
        found["baseline_accuracy"] = report["baseline"]["accuracy"]["value"]
    return {name: value for name, value in found.items() if value is not None}
