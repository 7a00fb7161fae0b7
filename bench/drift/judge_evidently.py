"""Judges the windows of `events.py` with Evidently's defaults: `DataDriftPreset()` over the same columns that ours has.

    .tools/evidently/bin/python bench/drift/judge_evidently.py FOLDER

Writes NAME.evidently.jsonl beside the windows, one line a window, in their order:

    {"scenario", "draw", "dataset": bool, "columns": {column: {"method", "threshold", "value", "drifted"}}}

`dataset` is Evidently's own verdict on the whole: at least half of the columns drifted.
"""

import argparse
import json
import logging
import warnings
from pathlib import Path

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

NUMBERS = ["score", "entropy", "margin", "characters", "n_tokens", "unknown_rate"]
COLUMNS = DataDefinition(numerical_columns=NUMBERS, categorical_columns=["label"], text_columns=["text"])


def table(path):
    with open(path, encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    signals = ("entropy", "margin", "characters", "n_tokens", "unknown_rate")
    rows = [{**{name: event["signals"][name] for name in signals},
             **{name: event[name] for name in ("score", "label", "text")}} for event in events]
    return pd.DataFrame(rows)


def judged(reference, current):
    """Evidently's verdicts on one window."""
    def dataset(rows):
        return Dataset.from_pandas(rows.reset_index(drop=True), COLUMNS)

    metrics = Report([DataDriftPreset()]).run(dataset(current), dataset(reference)).dict()["metrics"]
    count, whole, columns = 0, False, {}
    for metric in metrics:
        config, value = metric["config"], metric["value"]
        if config["type"].endswith("DriftedColumnsCount"):
            count, whole = value["count"], value["share"] >= config["drift_share"]
        elif config["type"].endswith("ValueDrift"):
            value = float(value)
            drifted = value < config["threshold"] if "p_value" in config["method"] else value >= config["threshold"]
            columns[config["column"]] = {
                "method": config["method"], "threshold": config["threshold"], "value": value, "drifted": drifted}
    if sum(column["drifted"] for column in columns.values()) != count:
        raise ValueError(f"the report says {count} columns drifted, its values say otherwise: {columns}")
    return {"dataset": bool(whole), "columns": columns}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    for path in sorted(folder.glob("*.windows.jsonl")):
        name = path.name.removesuffix(".windows.jsonl")
        events = table(folder / f"{name}.events.jsonl")
        partial = folder / f"{name}.evidently.partial"
        with open(path, encoding="utf-8") as windows, open(partial, "w", encoding="utf-8") as verdicts:
            for line in windows:
                window = json.loads(line)
                verdict = judged(events.iloc[window["reference"]], events.iloc[window["rows"]])
                own = {"scenario": window["scenario"], "draw": window["draw"]}
                verdicts.write(json.dumps({**own, **verdict}) + "\n")
        partial.rename(folder / f"{name}.evidently.jsonl")
        print(f"{name}: judged")


if __name__ == "__main__":
    main()
