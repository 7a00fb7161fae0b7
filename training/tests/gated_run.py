"""A run folder as it stands before `gate`, with a tiny package and a report of the schema that `evaluate` writes."""

import json
from pathlib import Path
from typing import Any

from labelstream_train import settings
from labelstream_train.evaluate import report
from labelstream_train.package import manifest
from labelstream_train.package.scorer import Scorer
from labelstream_train.run import Run
from labelstream_train.statistics.intervals import Estimate, share

from . import word_package


def make(out: Path, sections: dict[str, Any] | None = None, **package: Any) -> Run:
    """OUT with data, package, evaluate/report.json; `package` goes to `word_package.write`."""
    run = Run(settings.check(sections or {}), out)
    parts = word_package.parts()
    parts.write(run.data)
    word_package.write(run.package, **package)
    run.train.mkdir()
    (run.train / "train.json").write_text('{"tier": "fast"}', encoding="utf-8")
    (out / "settings.toml").write_text("", encoding="utf-8")
    report.write(evaluation(run), run.evaluate / "report.json")
    stored = {"storage": "int8", "int8": {"agreement": 0.99, "accuracy_loss": -0.001}}
    (out / "export.json").write_text(json.dumps(stored), encoding="utf-8")
    return run


def make_for_registry(out: Path, uri: str, name: str, **package: Any) -> Run:
    """The same, with a registry in its settings; model and experiment are called `name`."""
    return make(out, {"register": {"registry": uri, "model_name": name, "experiment": name}}, **package)


def evaluation(run: Run) -> dict[str, Any]:
    """The part of report.json that the gate reads, measured on the test texts."""
    scorer, parts = Scorer(run.package, threads=1), run.parts()
    right = scorer.probabilities([each.text for each in parts.test]).argmax(axis=1) == parts.truth(parts.test)
    accuracy = share(int(right.sum()), len(right))
    recalls = [share(int(right[parts.truth(parts.test) == place].sum()), 40) for place in range(len(parts.labels))]
    named = {name: accuracy for name in ("accuracy", "macro_f1", "micro_f1")}
    return {
        "schema": report.SCHEMA,
        "package": {"digest": manifest.package_digest(run.package)},
        "estimates": named | {"calibration_error": Estimate(0.02, 0.01, 0.03, len(right), "bootstrap")},
        "classes": [{"label": label, "recall": recall} for label, recall in zip(parts.labels, recalls, strict=True)],
        "slices": [_slice("length", 60, -0.05), _slice("source", 12, -0.9)],
        "robustness": [
            {"name": "all upper case", "change": Estimate(-0.1, -0.15, -0.05, 100, "bonett-price")},
            {"name": "leetspeak", "change": Estimate(-0.7, -0.8, -0.6, 100, "bonett-price")},
        ],
        "bias": None,
        "out_of_scope": None,
        "speed": None,
    }


def rules(folder: Path, text: str) -> Path:
    """A file of rules with this text."""
    folder.mkdir(exist_ok=True)
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _slice(name: str, count: int, gap: float) -> dict[str, Any]:
    return {"slice": name, "value": "x", "n": count, "gap": Estimate(gap, gap - 0.1, gap + 0.1, count, "newcombe")}
