"""What the registry stores about a package: settings, metrics, tags, files and a description."""

import json
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .. import json_file
from ..package import manifest
from ..package.verdict import Verdict
from ..recipe import recipe
from ..run import Run
from ..settings import to_toml

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

DIGEST_TAG = "labelstream.digest"
GATE_TAG = "labelstream.gate"

PARAMS_AT_ONCE = 100
"""Largest batch of parameters in a request to MLflow's REST API."""
VALUE_CHARS_MAX = 6000
"""Longest value of a parameter; the full settings are also an artifact."""
DIGEST_CHARS = 32
"""Digits of a data set's digest: MLflow allows up to 36; the profile has all of it."""
CONTEXTS = {"train": "training"}
"""Part -> MLflow's own word for it, if it has one."""
HEADLINE = ("accuracy", "macro_f1", "micro_f1", "calibration_error")


def tags(run: Run, verdict: Verdict) -> dict[str, str]:
    """Tags of the model version and its run. All values are text; unknown ones are left out."""
    about = manifest.read(run.package)
    known = {
        DIGEST_TAG: verdict.package_digest,
        GATE_TAG: "passed",
        "labelstream.rules": f"{verdict.rules_file} sha256:{verdict.rules_sha256}",
        "labelstream.package": " ".join(str(about[key]) for key in ("name", "version") if about.get(key)),
        "labelstream.tier": run.settings.run.tier,
        "labelstream.licence": about.get("licence"),
        "labelstream.data_fingerprint": run.parts().facts.get("fingerprint"),
        "labelstream.data": "; ".join(map(_data, about.get("data") or [])),
        "labelstream.git_commit": _git_commit(),
    }
    return {name: str(value) for name, value in known.items() if value}


def run_tags(run: Run) -> dict[str, str]:
    """Tags of the run only: MLflow's page shows its source by them."""
    commit = _git_commit()
    named = {"mlflow.source.name": "labelstream-train", "mlflow.source.type": "LOCAL"}
    return named | ({"mlflow.source.git.commit": commit.split()[0]} if commit else {})


def log(client: "MlflowClient", run_id: str, run: Run) -> None:
    """Logs parameters, metrics, and every file except the package."""
    from mlflow.entities import Metric, Param

    params = [Param(name, value[:VALUE_CHARS_MAX]) for name, value in _settings(run)]
    for start in range(0, len(params), PARAMS_AT_ONCE):
        client.log_batch(run_id, params=params[start : start + PARAMS_AT_ONCE])
    metrics = [Metric(name, value, 0, 0) for name, value in figures(run).items()]
    for start in range(0, len(metrics), PARAMS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + PARAMS_AT_ONCE])
    for folder in (run.validate, run.evaluate, run.gate):
        for path in (folder / name for name in ("report.json", "report.html", "verdict.json")):
            if path.is_file():
                client.log_artifact(run_id, str(path), f"reports/{folder.name}")
    for path in (run.tune / name for name in ("report.json", "report.html", "best.toml", "study.db")):
        if path.is_file():
            client.log_artifact(run_id, str(path), "tune")
    client.log_text(run_id, to_toml(recipe(run.settings)), "run/settings.toml")
    for path in (run.out / "export.json", run.train / "train.json", run.data / "parts.json"):
        if path.is_file():
            client.log_artifact(run_id, str(path), "run")


def inputs(run: Run) -> "list[DatasetInput]":
    """The data files behind the package, each with its part, rows and digest."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [
        DatasetInput(
            Dataset(
                name=each["name"],
                digest=each["sha256"][:DIGEST_CHARS],
                source_type="local",
                source=json.dumps({"uri": each["name"]}),
                profile=json.dumps({"num_rows": each["rows"], "sha256": each["sha256"]}),
            ),
            [InputTag("mlflow.data.context", CONTEXTS.get(each["part"], each["part"]))],
        )
        for each in run.parts().facts.get("files", [])
        if {"name", "sha256", "rows", "part"} <= each.keys()
    ]


def figures(run: Run) -> dict[str, float]:
    """Metrics of the report with their intervals, and those of the package as `package.NAME`."""
    report = json_file.read_object(run.evaluate / "report.json", made_by="evaluate")
    found = {}
    for name, estimate in (report.get("estimates") or {}).items():
        for key, suffix in (("value", ""), ("low", ".low"), ("high", ".high")):
            found[f"{name}{suffix}"] = estimate.get(key)
    found |= {f"package.{name}": value for name, value in (manifest.read(run.package).get("metrics") or {}).items()}
    return {name: float(value) for name, value in found.items() if isinstance(value, (int, float))}


def description(run: Run, verdict: Verdict) -> str:
    """A few lines for readers of the model version: what it is, how good, and that it passed its gate."""
    about, found = manifest.read(run.package), figures(run)
    lines = [f"{about.get('name')} {about.get('version')}, {run.settings.run.tier} tier, {about.get('licence')}"]
    for name in (name for name in HEADLINE if name in found):
        ends = (
            f" (95 % interval {found[f'{name}.low']:.4f} to {found[f'{name}.high']:.4f})"
            if f"{name}.low" in found
            else ""
        )
        lines.append(f"{name.replace('_', ' ')} on test: {found[name]:.4f}{ends}")
    skipped = sum(each.skipped for each in verdict.rules)
    lines.append(f"gate: {len(verdict.rules) - skipped} rules passed, {skipped} skipped")
    champion = next((each for each in verdict.rules if each.name == "champion" and not each.skipped), None)
    lines += [champion.sentence] if champion else []
    return "\n\n".join([*lines, f"package {verdict.package_digest}"])


def _settings(run: Run) -> Iterator[tuple[str, str]]:
    """`section.key` and value of every setting that affects the package; without the registry's own."""
    for section, keys in run.settings.dump().items():
        for key, value in keys.items() if section != "register" else ():
            yield f"{section}.{key}", _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _data(entry: dict[str, Any]) -> str:
    """Name and licence of a data set, as far as they are known."""
    name, licence = entry.get("name") or "unnamed", entry.get("licence")
    return f"{name} ({licence})" if licence else str(name)


def _git_commit() -> str | None:
    """The git commit of the current folder, with a note if files differ from it."""
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    return None if commit is None else f"{commit} (with changes)" if changes else commit


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
