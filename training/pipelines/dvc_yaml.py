"""Writes the DVC pipeline of a run: each stage of labelstream-train as a DVC stage that calls its command.

What a stage reads, writes and depends on comes from `labelstream_train.stages`. The run's settings file,
OUT/settings.toml, is the parameter file; DVC needs every section, so it is written in full. usage: python
pipelines/dvc_yaml.py --settings FILE [--out run]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from labelstream_train import settings
from labelstream_train.errors import UserError
from labelstream_train.settings import Settings
from labelstream_train.stages import STAGES, Stage

JOINED = {"evaluate": "export"}
"""`evaluate` adds metrics and the model card to the package of `export`. In DVC each file belongs to one stage, so the
two are one stage with two commands."""

HEADER = """\
# Written by pipelines/dvc_yaml.py from the stages of labelstream-train; do not edit. See pipelines/README.md.
"""


def pipeline(given: Settings, out: str) -> dict[str, Any]:
    """dvc.yaml as plain values, with the stages that `given` enables. `out` is the run folder, relative."""
    wanted = [stage for stage in STAGES if stage.is_wanted(given)]
    groups: dict[str, list[Stage]] = {}
    for stage in wanted:
        groups.setdefault(JOINED.get(stage.name, stage.name), []).append(stage)
    stages = {name: _stage(stages, wanted, given, out) for name, stages in groups.items()}
    return {"stages": stages, "metrics": [f"{out}/evaluate/metrics.json"], "plots": _plots(given, out)}


def _plots(given: Settings, out: str) -> list[dict[str, Any]]:
    """Plots for `dvc plots show`, from files that the stages write."""
    curve, reliability = f"{out}/train/curve.csv", f"{out}/evaluate/reliability.csv"
    quality = "mean average precision" if given.data.multi_label else "accuracy"
    return [
        {"loss": {
            "title": "loss by epoch", "x": "epoch", "y": {curve: ["train_loss", "held_out_log_loss"]},
            "y_label": "nats",
        }},
        {"quality": {
            "title": f"held-out {quality} by epoch", "x": "epoch", "y": {curve: "held_out_quality"}, "y_label": quality,
        }},
        {"reliability": {
            "title": "share right by score, on test", "x": "mean_score", "y": {reliability: "share_right"},
            "x_label": "mean score", "y_label": "share right",
        }},
    ]  # fmt: skip


def text(given: Settings, out: str) -> str:
    """The text of dvc.yaml."""
    return HEADER + yaml.safe_dump(pipeline(given, out), sort_keys=False, width=116)


def _stage(stages: Sequence[Stage], wanted: Sequence[Stage], given: Settings, out: str) -> dict[str, Any]:
    """One DVC stage. Its outputs persist: the command itself knows which are still valid, so that a killed training
    resumes, and an unchanged stage does not run again."""
    commands = [f"labelstream-train {stage.name} --out {out} --redo-changed" for stage in stages]
    written = [*dict.fromkeys(path for stage in stages for path in _written(stage))]
    read = [path for stage in stages for path in _read(stage, wanted, given) if path not in written]
    files = [path for stage in stages for path in _files(stage, given)]
    keys = [key for stage in stages for key in _parameters(stage, given)]
    found: dict[str, Any] = {"cmd": commands if len(commands) > 1 else commands[0]}
    if dependencies := [*dict.fromkeys([*files, *(f"{out}/{path}" for path in read)])]:
        found["deps"] = dependencies
    found["params"] = [{f"{out}/settings.toml": [*dict.fromkeys(keys)]}]
    found["outs"] = [{f"{out}/{path}": {"persist": True}} for path in written]
    if any(stage.asks_registry(given) for stage in stages):
        found["always_changed"] = True
    return found


def _written(stage: Stage) -> list[str]:
    """Output paths in the run folder, and the folder with the record that the stage is done."""
    return [*stage.writes, *([stage.name] if stage.name not in stage.writes else [])]


def _read(stage: Stage, wanted: Sequence[Stage], given: Settings) -> list[str]:
    """Inputs; for the stages after tuning, also its result."""
    names = [each.name for each in wanted]
    is_tuned = "tune" in names and names.index(stage.name) > names.index("tune")
    return [*map(_whole, stage.reads), *(["tune"] if is_tuned and "TIER" in stage.settings else [])]


def _whole(path: str) -> str:
    """DVC depends on the folders that stages write: `data/train.parquet` is part of `data`."""
    folders = {written for stage in STAGES for written in stage.writes}
    return next((folder for folder in folders if path.startswith(f"{folder}/")), path)


def _files(stage: Stage, given: Settings) -> list[str]:
    """Files and folders outside the run that settings name: the data, and bases and teachers that are paths."""
    found = []
    for key in stage.files:
        section, _, name = key.partition(".")
        if section in ("encoder", "fast") and section != given.run.tier:
            continue
        named = given.dump()[section].get(name) or []
        places = [named] if isinstance(named, str) else named
        found += [each for each in places if section == "data" or Path(each).exists()]
    return found


def _parameters(stage: Stage, given: Settings) -> list[str]:
    """Sections and keys. DVC has no unset parameters, so an unset key, which is not in the file, becomes its
    section."""
    dump, found = given.dump(), []
    for each in stage.settings:
        section, _, key = (given.run.tier if each == "TIER" else each).partition(".")
        found.append(f"{section}.{key}" if key and dump[section][key] is not None else section)
    return [each for each in found if "." not in each or each.partition(".")[0] not in found]


def main(arguments: Sequence[str]) -> int:
    """Writes dvc.yaml here, and OUT/settings.toml."""
    parser = argparse.ArgumentParser(description="writes dvc.yaml here, and OUT/settings.toml")
    parser.add_argument("--out", default="run", help="folder of the run, relative to this one [run]")
    parser.add_argument("--settings", type=Path, help="its settings file [OUT/settings.toml]")
    parsed = parser.parse_args(arguments)
    own = Path(parsed.out) / "settings.toml"
    try:
        given = settings.check(settings.read(parsed.settings or own))
    except UserError as error:
        print(f"error: failed to {error}", file=sys.stderr)
        return 2
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(settings.to_toml(given.dump()), encoding="utf-8")
    Path("dvc.yaml").write_text(text(given, parsed.out), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
