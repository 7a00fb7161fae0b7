"""What is registered with a package: all that made it, so that a second person can follow, and MLflow's own flavour."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mlflow", reason="the MLflow client is not installed: pip install mlflow-skinny")

from labelstream_train import settings
from labelstream_train.gate.stage import gate
from labelstream_train.package import manifest
from labelstream_train.register.registry import connect, download, version_of
from labelstream_train.register.stage import register
from labelstream_train.run import Run

from . import gated_run
from .mlflow_server import MlflowServer


def test_what_is_registered_can_be_followed(mlflow_server: MlflowServer, tmp_path: Path, name: str) -> None:
    """Data sets with digest and rows, the search, the settings that were trained with; nothing unknown is named."""
    from labelstream_train.data.parts import Parts
    from labelstream_train.stages import stage as stage_of
    from labelstream_train.workflow import after_tuning

    run = gated_run.make_for_registry(tmp_path / "out", mlflow_server.uri, name)
    parts = run.parts()
    files = [{"part": "train", "name": "d.csv", "sha256": "ab" * 32, "rows": 7},
             {"part": "test", "name": "t.csv", "sha256": "cd" * 32, "rows": 3}]  # fmt: skip
    Parts(parts.labels, False, parts.train, parts.held_out, parts.test, (), parts.facts | {"files": files}).write(
        run.data
    )
    about = manifest.read(run.package)
    manifest.write(run.package, about | {"data": [{"name": "d", "sha256": "ab" * 32}]})
    run.tune.mkdir()
    for file, text in (("best.toml", "[fast]\nlearning_rate = 0.01688\n"), ("report.json", "{}"), ("study.db", "x")):
        (run.tune / file).write_text(text, encoding="utf-8")
    given = run.settings.dump() | {"tune": {"trials": 8}, "data": {"path": "/home/ada/d.csv"}}
    given["run"] |= {"tier": "fast", "tracking": mlflow_server.uri}
    run = after_tuning(stage_of("register"), Run(settings.check(given), run.out))
    report = json.loads((run.evaluate / "report.json").read_text())
    report["package"]["digest"] = manifest.package_digest(run.package)
    (run.evaluate / "report.json").write_text(json.dumps(report))
    gate(run)
    register(run)
    client = connect(mlflow_server.uri)
    version = version_of(client, name, "challenger")
    logged = client.get_run(version.run_id)
    found = {
        (each.dataset.name, each.dataset.digest, each.tags[0].value, json.loads(each.dataset.profile)["num_rows"])
        for each in logged.inputs.dataset_inputs
    }
    assert found == {("d.csv", "ab" * 16, "training", 7), ("t.csv", "cd" * 16, "test", 3)}
    assert version.tags["labelstream.data"] == "d"
    assert not [value for value in (*version.tags.values(), *logged.data.tags.values()) if "None" in value]
    listed = {entry.path for entry in client.list_artifacts(version.run_id, "tune")}
    assert listed == {"tune/best.toml", "tune/report.json", "tune/study.db"}
    made = Path(client.download_artifacts(version.run_id, "run/settings.toml", str(tmp_path))).read_text()
    assert "learning_rate = 0.01688" in made and 'path = "d.csv"' in made
    assert "trials" not in made and "http" not in made and "ada" not in made
    assert logged.data.params["fast.learning_rate"] == "0.01688"


def test_a_package_with_the_flavour_is_predicted_with_by_mlflow(
    mlflow_server: MlflowServer, tmp_path: Path, name: str
) -> None:
    pytest.importorskip("pandas")
    given = {"registry": mlflow_server.uri, "model_name": name, "experiment": name, "flavour": "pyfunc"}
    run = gated_run.make(tmp_path / "out", {"register": given})
    gate(run)
    register(run)
    (tmp_path / "texts.csv").write_text("text\nmy card chip\nsome cash coins\n", encoding="utf-8")
    command = [sys.executable, "-m", "mlflow", "models", "predict", "-m", f"models:/{name}@challenger", "-i",
               "texts.csv", "-t", "csv", "-o", "found.json", "--env-manager", "local"]  # fmt: skip
    own = {"MLFLOW_TRACKING_URI": mlflow_server.uri, "PYTHONPATH": "", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))["predictions"]
    assert [each["label"] for each in found] == ["card", "cash"]
    assert all(0.3 < each["score"] <= 1 for each in found)
    version = version_of(connect(mlflow_server.uri), name, "challenger")
    fetched = download(connect(mlflow_server.uri), version, tmp_path / "fetched")
    assert manifest.package_digest(fetched) == manifest.package_digest(run.package), "the package is the same"
