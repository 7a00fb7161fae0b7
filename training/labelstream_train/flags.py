"""The flags of `run` and of each stage. Nearly all of them set a key of the settings file."""

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import UserError

KEYS = {
    "data": ("data.path", "FILE_OR_DIR", "labelled texts: CSV, TSV, JSON, JSON Lines or Parquet, also as .gz or .zst; "
             "a folder of such train and test files; a Hugging Face dataset folder"),
    "validation": ("data.validation", "FILE", "labelled texts for choosing the epoch and for calibration"),
    "test": ("data.test", "FILE", "labelled texts for testing"),
    "out-of-scope": ("data.out_of_scope", "FILE", "texts that belong to no label"),
    "out-of-scope-label": ("data.out_of_scope_label", "LABEL", "rows with this label are out of scope"),
    "text": ("data.text", "COLUMN", "column of the text [text, sentence, ...]"),
    "label": ("data.label", "COLUMN", "column of the label or labels [label, labels, intent, ...]"),
    "label-name": ("data.label_names", "LABEL=NAME", "rename a label of the files; repeatable"),
    "label-separator": ("data.label_separator", "TEXT", "separator between the labels of one string"),
    "delimiter": ("data.delimiter", "CHARACTER", "column separator of CSV and TSV files; `tab` for a tab"),
    "encoding": ("data.encoding", "ENCODING", "encoding of CSV, TSV and JSON files, for example cp1252 [UTF-8]"),
    "time": ("data.time", "COLUMN", "column of the time; without a test file, the newest texts become the test set"),
    "time-format": ("data.time_format", "FORMAT", "format of times that are not ISO 8601: '%%d.%%m.%%Y %%H:%%M'"),
    "group": ("data.group", "COLUMN", "column of the group (author, ticket, ...), which is never split"),
    "slice": ("data.slices", "COLUMN", "report metrics by the values of this column; repeatable"),
    "split": ("split.by", "HOW", "auto, random, group or time"),
    "split-seed": ("split.seed", "N", "seed of the split"),
    "tier": ("run.tier", "TIER", "encoder (most accurate) or fast (highest throughput, no torch)"),
    "seed": ("run.seed", "N", "seed of the training"),
    "threads": ("run.threads", "N", "number of threads"),
    "base": ("TIER.base", "BASE", "base model: an installed Python package, a folder, or OWNER/NAME on a model hub"),
    "epochs": ("TIER.epochs", "N", "passes over the training texts"),
    "trials": ("tune.trials", "N", "trials of the hyperparameter search; 0: no search"),
    "jobs": ("tune.jobs", "N", "trials that run in parallel"),
    "name": ("run.name", "NAME", "name of the package"),
    "version": ("run.version", "VERSION", "version of the package"),
    "data-name": ("data.name", "NAME", "name of the data in the manifest and the model card"),
    "data-licence": ("data.licence", "LICENCE", "licence of the data, for example CC-BY-4.0"),
    "data-attribution": ("data.attribution", "TEXT", "authors of the data"),
    "bias-data": ("evaluate.bias_data", "FILE", "sentences with identity terms"),
    "bias-identity": ("evaluate.bias_identity", "COLUMN", "column of the identity term in them [identity]"),
    "speed-repeats": ("evaluate.speed_repeats", "N", "timed calls per text length; 0: no timing"),
    "rules": ("gate.rules", "FILE", "rules of the gate"),
    "champion": ("gate.champion", "PACKAGE", "package in use, to compare with: a folder, or models:/NAME@ALIAS"),
    "registry": ("register.registry", "ADDRESS", "MLflow server that the package is registered with"),
    "model-name": ("register.model_name", "NAME", "name of the registered model [the package's]"),
    "flavour": ("register.flavour", "FLAVOUR", "pyfunc: MLflow's own tools can also load the registered package"),
    "tracking": ("run.tracking", "ADDRESS", "MLflow server that training and tuning log to while they run"),
    "alias": ("register.alias", "ALIAS", "alias of the registered version [challenger]"),
}  # fmt: skip
"""Flag -> key of the settings file (`TIER` stands for the tier in use), name of the value, help text."""


def add_flags(
    parser: argparse.ArgumentParser, act: Callable[[argparse.Namespace], int], needs_out: bool = True
) -> None:
    """Adds all flags of a run; a flag that is not given has the value None."""
    parser.set_defaults(act=act)
    parser.add_argument(
        "--out", type=Path, required=needs_out, metavar="DIR", help="folder of the run; created if missing"
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings file (`settings` prints one)")
    add_set(parser)
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after M minutes; the run can be resumed")
    parser.add_argument("--resume", action="store_true", help="resume the run in --out, which must exist")
    parser.add_argument("--force", action="store_true", help="run every stage again from the start")
    parser.add_argument(
        "--redo-changed", action="store_true", help="discard a training whose settings or data changed, and train again"
    )
    parser.add_argument("--quiet", action="store_true", help="print errors only, no progress")
    parser.add_argument("--json", action="store_true", help="print only the summary to stdout, as JSON")
    short = parser.add_argument_group("shortcuts for settings")
    short.add_argument("--multi-label", action="store_true", default=None, help="a text may have any number of labels")
    short.add_argument(
        "--drop-unusable", action="store_true", default=None,
        help="drop all rows without a usable text, label or time (validate.unusable_share_max=1)",
    )  # fmt: skip
    for flag, (key, value, text) in KEYS.items():
        action = "append" if flag in ("slice", "label-name") else "store"
        short.add_argument(f"--{flag}", action=action, metavar=value, help=f"{text} ({key})")


def add_package_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that only `evaluate` has."""
    group = parser.add_argument_group("a package without a run", "instead of --out; --data FILE names the texts")
    group.add_argument("--package", type=Path, metavar="DIR", help="folder with labelstream.json")
    group.add_argument("--report", type=Path, metavar="DIR", help="write report.json and report.html to DIR, too")


def add_set(parser: argparse.ArgumentParser) -> None:
    """Adds `--set`; a shell may have split its value at spaces."""
    parser.add_argument(
        "--set", action=_Assignments, nargs="+", default=[], metavar="SECTION.KEY=VALUE", help="any setting; repeatable"
    )


class _Assignments(argparse.Action):
    """Joins words that do not begin with SECTION.KEY= to the value before them: `data.slices=[a, b]`."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        found = [*getattr(namespace, self.dest)]
        for place, word in enumerate(values):
            if place == 0 or re.match(r"\w+\.\w+=", word):
                found.append(word)
            else:
                found[-1] += f" {word}"
        setattr(namespace, self.dest, found)


def given(parsed: argparse.Namespace, below: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings that the flags give: section -> key -> value. `below` are the settings that they override."""
    flags = vars(parsed)
    tier = flags["tier"] or below.get("run", {}).get("tier", "encoder")
    found: dict[str, dict[str, Any]] = {}
    keys = {flag: key for flag, (key, _, _) in KEYS.items()} | {"multi-label": "data.multi_label"}
    for flag, key in keys.items():
        value = flags[flag.replace("-", "_")]
        if value is not None:
            section, _, name = key.partition(".")
            if flag == "label-name":
                value = dict(map(_pair, value))
            found.setdefault(tier if section == "TIER" else section, {})[name] = value
    if flags["drop_unusable"]:
        found.setdefault("validate", {})["unusable_share_max"] = 1.0
    return found


def _pair(text: str) -> tuple[str, str]:
    """Splits LABEL=NAME; a label may contain `=`, a name may not."""
    label, equals, name = text.rpartition("=")
    if not (label.strip() and equals and name.strip()):
        raise UserError(f"use --label-name {text}: expected LABEL=NAME")
    return label.strip(), name.strip()
