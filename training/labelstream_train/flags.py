"""The flags of `run` and of each stage. Nearly all of them are short for a key of the settings file."""

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import UserError

KEYS = {
    "data": ("data.path", "FILE_OR_DIR", "labelled texts: CSV, TSV, JSON (lines), Parquet, also .gz and .zst; a folder "
             "with train and test files of these; a Hugging Face dataset folder"),
    "validation": ("data.validation", "FILE", "labelled texts to choose and calibrate by"),
    "test": ("data.test", "FILE", "labelled texts to test with"),
    "out-of-scope": ("data.out_of_scope", "FILE", "texts that belong to none of the labels"),
    "out-of-scope-label": ("data.out_of_scope_label", "LABEL", "rows with this label belong to none of the others"),
    "text": ("data.text", "COLUMN", "column of the text [text, sentence, ...]"),
    "label": ("data.label", "COLUMN", "column of the label or labels [label, labels, intent, ...]"),
    "label-name": ("data.label_names", "LABEL=NAME", "label of the files = the one it stands for; repeatable"),
    "label-separator": ("data.label_separator", "TEXT", "what stands between several labels in one string"),
    "delimiter": ("data.delimiter", "CHARACTER", "what parts the columns of CSV and TSV files; `tab` for a tab"),
    "encoding": ("data.encoding", "ENCODING", "encoding of CSV, TSV and JSON files, such as cp1252 [UTF-8]"),
    "time": ("data.time", "COLUMN", "column of the time; without a test file, the newest texts are test"),
    "time-format": ("data.time_format", "FORMAT", "format of the time where it is no ISO 8601: '%%d.%%m.%%Y %%H:%%M'"),
    "group": ("data.group", "COLUMN", "column of what stays on one side of a split: author, ticket, ..."),
    "slice": ("data.slices", "COLUMN", "a column to report figures by; repeat it for more"),
    "split": ("split.by", "HOW", "auto, random, group or time"),
    "split-seed": ("split.seed", "N", "seed of the split"),
    "tier": ("run.tier", "TIER", "encoder (the best figures) or fast (the highest rate, no torch)"),
    "seed": ("run.seed", "N", "seed of the training"),
    "threads": ("run.threads", "N", "threads to compute with"),
    "base": ("TIER.base", "BASE", "base model: an installed Python package, a folder, or a hub's OWNER/NAME"),
    "epochs": ("TIER.epochs", "N", "passes over the train part"),
    "trials": ("tune.trials", "N", "trials of the search for better settings; 0 does not search"),
    "jobs": ("tune.jobs", "N", "trials side by side"),
    "name": ("run.name", "NAME", "name of the package"),
    "version": ("run.version", "VERSION", "version of the package"),
    "data-name": ("data.name", "NAME", "name of the data, for the package's manifest and card"),
    "data-licence": ("data.licence", "LICENCE", "licence of the data, such as CC-BY-4.0"),
    "data-attribution": ("data.attribution", "TEXT", "whom the data is from"),
    "bias-data": ("evaluate.bias_data", "FILE", "sentences with identity terms"),
    "bias-identity": ("evaluate.bias_identity", "COLUMN", "column of the identity term in them [identity]"),
    "speed-repeats": ("evaluate.speed_repeats", "N", "timed calls of a length of text; 0 leaves timing out"),
    "rules": ("gate.rules", "FILE", "rules of the gate"),
    "champion": ("gate.champion", "PACKAGE", "must not be better than the package: a folder, or models:/NAME@ALIAS"),
    "registry": ("register.registry", "ADDRESS", "MLflow server to register the package with"),
    "model-name": ("register.model_name", "NAME", "name of the registered model [the package's]"),
    "flavour": ("register.flavour", "FLAVOUR", "pyfunc: MLflow's own tools can load the registered package, too"),
    "tracking": ("run.tracking", "ADDRESS", "MLflow server that training and tuning are logged to as they go"),
    "alias": ("register.alias", "ALIAS", "alias of the registered version [challenger]"),
}  # fmt: skip
"""Flag -> key of the settings file (`TIER` is the tier in use), name of the value, help."""


def add_flags(
    parser: argparse.ArgumentParser, act: Callable[[argparse.Namespace], int], needs_out: bool = True
) -> None:
    """Adds all flags of a run; a flag that is not given is None."""
    parser.set_defaults(act=act)
    parser.add_argument("--out", type=Path, required=needs_out, metavar="DIR", help="folder of the run; made if needed")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="settings file (`settings` prints one)")
    add_set(parser)
    parser.add_argument("--minutes", type=float, metavar="M", help="stop, resumable, when these are over")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out; it must be there")
    parser.add_argument("--force", action="store_true", help="do again what is done, from the beginning")
    parser.add_argument("--redo-changed", action="store_true", help="replace a training whose settings or data changed")
    parser.add_argument("--quiet", action="store_true", help="no progress; errors only")
    parser.add_argument("--json", action="store_true", help="the summary as JSON, alone on stdout")
    short = parser.add_argument_group("short for settings")
    short.add_argument("--multi-label", action="store_true", default=None, help="a text has any number of labels")
    short.add_argument(
        "--drop-unusable", action="store_true", default=None,
        help="leave rows without a usable text, label or time out, however many (validate.unusable_share_max=1)",
    )  # fmt: skip
    for flag, (key, value, text) in KEYS.items():
        action = "append" if flag in ("slice", "label-name") else "store"
        short.add_argument(f"--{flag}", action=action, metavar=value, help=f"{text} ({key})")


def add_package_flags(parser: argparse.ArgumentParser) -> None:
    """What `evaluate` takes besides the flags of a run."""
    group = parser.add_argument_group("a package without a run", "instead of --out; --data FILE is what it is tried on")
    group.add_argument("--package", type=Path, metavar="DIR", help="folder with labelstream.json")
    group.add_argument("--report", type=Path, metavar="DIR", help="also write report.json and report.html there")


def add_set(parser: argparse.ArgumentParser) -> None:
    """`--set`, whose value a shell may have cut at spaces."""
    parser.add_argument(
        "--set", action=_Assignments, nargs="+", default=[], metavar="SECTION.KEY=VALUE", help="any setting; repeatable"
    )


class _Assignments(argparse.Action):
    """Words that do not begin with SECTION.KEY= belong to the value before them: `data.slices=[a, b]`."""

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
    """The settings that flags name: section -> key -> value. `below` is what they are laid over."""
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
    """LABEL=NAME; a label may hold `=`, a name not."""
    label, equals, name = text.rpartition("=")
    if not (label.strip() and equals and name.strip()):
        raise UserError(f"use --label-name {text}: expected LABEL=NAME")
    return label.strip(), name.strip()
