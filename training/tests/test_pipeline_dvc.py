"""The DVC pipeline: reproduced from data to verdict, a second time nothing, only what changed, pushed and pulled."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from labelstream_train import settings
from labelstream_train.evaluate import shown
from labelstream_train.learning import curve
from labelstream_train.stages import STAGES

from .pipeline_tools import TOOLS, TRAINING, Project, project

README = TRAINING / "pipelines" / "README.md"
DVC_YAML = TRAINING / "pipelines" / "dvc_yaml.py"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@example.org")
COMMITTED = (
    "dvc.yaml dvc.lock data.dvc .gitignore .dvcignore .dvc/config run/settings.toml run/.gitignore run/test_uses.json"
)


@pytest.fixture
def here(tmp_path) -> Project:
    return project(tmp_path)


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of an S3 server on this machine, with a bucket named `models`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [TOOLS / "moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=os.environ | KEYS,
    )  # fmt: skip
    try:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while True:
            try:
                request = urllib.request.Request(f"{address}/models", method="PUT")
                with urllib.request.urlopen(request, timeout=30):
                    break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < deadline and server.poll() is None, "the S3 server did not start"
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_the_example_is_written_from_the_stages(here):
    """training/dvc.yaml is what its generator writes for the default settings and a folder `data`."""
    (here.folder / "mine.toml").write_text('[data]\npath = "data"\n', encoding="utf-8")
    here.run(TOOLS / "python", DVC_YAML, "--settings", "mine.toml")
    written = (here.folder / "dvc.yaml").read_text(encoding="utf-8")
    assert written == (TRAINING / "dvc.yaml").read_text(encoding="utf-8")
    assert settings.read(here.folder / "run" / "settings.toml")["data"]["path"] == "data"
    commands = str([stage["cmd"] for stage in yaml.safe_load(written)["stages"].values()])
    for stage in STAGES:
        assert commands.count(f"labelstream-train {stage.name} ") == (stage.name not in ("tune", "register"))


def test_every_wanted_stage_is_there(here):
    """With tuning and a registry all seven are, and what tuning finds is read by those that learn."""
    more = '\n[tune]\ntrials = 3\n[register]\nregistry = "http://127.0.0.1:5000"\n'
    path = here.folder / "mine.toml"
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    here.run(TOOLS / "python", DVC_YAML, "--settings", "mine.toml")
    stages = yaml.safe_load((here.folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert list(stages) == ["validate", "tune", "train", "export", "gate", "register"]
    assert "run/tune" in stages["train"]["deps"] and stages["register"]["always_changed"]
    assert str(here.folder / "rules.toml") in stages["gate"]["deps"]
    outputs = [path for stage in stages.values() for out in stage["outs"] for path in out]
    assert len(outputs) == len(set(outputs))


def test_figures_and_curves_are_declared():
    """What `dvc metrics show` and `dvc plots show` read is what the stages write; needs no DVC."""
    declared = yaml.safe_load((TRAINING / "dvc.yaml").read_text(encoding="utf-8"))
    assert declared["metrics"] == ["run/evaluate/metrics.json"]
    named = {name: plot for each in declared["plots"] for name, plot in each.items()}
    assert set(named) == {"loss", "quality", "reliability"}
    columns = {f"run/train/{curve.NAME}": set(curve.COLUMNS),
               "run/evaluate/reliability.csv": set(shown.RELIABILITY)}  # fmt: skip
    for plot in named.values():
        for path, wanted in plot["y"].items():
            assert {plot["x"], *([wanted] if isinstance(wanted, str) else wanted)} <= columns[path]


def _as_documented(here: Project, command: str) -> str:
    """Runs a command that the page on pipelines must have, as it stands there."""
    assert f"{command} " in README.read_text(encoding="utf-8").replace("\n", " ")
    return here.run(*command.split())


def _on_a_fresh_clone(here: Project) -> None:
    """Everything is there after `git clone` and `dvc pull`, nothing has to be done again, and figures are shown."""
    clone = Project(here.folder.parent / "clone", here.environment | KEYS)
    here.run("git", "clone", "-q", here.folder, clone.folder)
    assert not (clone.folder / "run" / "package").exists() and not (clone.folder / "data").exists()
    _as_documented(clone, "dvc pull")
    for name in ("run/package/model.onnx", "run/evaluate/report.html", "data/train.jsonl"):
        assert (clone.folder / name).read_bytes() == (here.folder / name).read_bytes()
    assert "up to date" in clone.run("dvc", "status")

    shown_figures = _as_documented(clone, "dvc metrics show")
    figures = json.loads((clone.folder / "run" / "evaluate" / "metrics.json").read_text(encoding="utf-8"))
    assert "accuracy_low" in shown_figures and str(round(figures["accuracy"], 5)) in shown_figures
    where = _as_documented(clone, "dvc plots show").strip().removeprefix("file://")
    page = Path(where).read_text(encoding="utf-8")
    for title in ("loss by epoch", "held-out accuracy by epoch", "share right by score, on test"):
        assert title in page
    last = (clone.folder / "run" / "train" / "curve.csv").read_text(encoding="utf-8").splitlines()[-1].split(",")
    assert f'"held_out_quality": "{last[2]}"' in page or f'"held_out_quality": {last[2]}' in page


def _name_rules_relatively(here: Project) -> None:
    """As the page says of files that go to git: a clone has them elsewhere."""
    path = here.folder / "mine.toml"
    text = path.read_text(encoding="utf-8").replace(str(here.folder / "rules.toml"), "rules.toml")
    path.write_text(text, encoding="utf-8")


def _kill_in_training(here: Project) -> None:
    """Starts `dvc repro` and kills it, with all that it started, as soon as the training has begun."""
    repro = subprocess.Popen(["dvc", "repro"], cwd=here.folder, env=here.environment, start_new_session=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 300
    while not (here.folder / "run" / "train" / "started.json").is_file():
        assert time.monotonic() < deadline and repro.poll() is None, "the training did not begin"
        time.sleep(0.02)
    os.killpg(repro.pid, signal.SIGKILL)
    repro.wait(timeout=30)
    assert not (here.folder / "run" / "train" / "done.json").exists(), "killed too late"


@pytest.mark.pipelines
def test_reproduce_again_change_push_and_pull(here, s3):
    here.run("git", "init", "-q")
    here.run("dvc", "init", "-q")
    here.run("dvc", "add", "-q", "data")
    _name_rules_relatively(here)
    here.run(TOOLS / "python", DVC_YAML, "--settings", "mine.toml")
    _kill_in_training(here)
    (here.folder / "run" / "train" / "half").write_text("what a killed training left", encoding="utf-8")
    first = here.run("dvc", "repro")
    for stage in ("train", "export", "evaluate", "gate"):
        assert first.count(f"> labelstream-train {stage} ") == 1
    assert "> labelstream-train validate" not in first, "it was done before the kill"
    assert (here.folder / "run" / "train" / "half").is_file(), "half a training was thrown away"
    assert json.loads((here.folder / "run" / "gate" / "verdict.json").read_text(encoding="utf-8"))["passed"]

    again = here.run("dvc", "repro")
    assert "labelstream-train" not in again and "Data and pipelines are up to date" in again

    (here.folder / "rules.toml").write_text("[macro_f1]\nmin = 0.02\n", encoding="utf-8")
    changed = here.run("dvc", "repro")
    run_again = re.findall(r"^> labelstream-train (\w+)", changed, re.MULTILINE)
    assert run_again == ["validate", "gate"], "validate says whether the data is enough for the rules"

    here.run("dvc", "remote", "add", "--default", "storage", "s3://models/runs")
    here.run("dvc", "remote", "modify", "storage", "endpointurl", s3)
    _as_documented(here, f"git add {COMMITTED}")
    here.run("git", "add", "rules.toml")
    here.run("git", *AUTHOR, "commit", "-qm", "a model")
    _as_documented(Project(here.folder, here.environment | KEYS), "dvc push")
    _on_a_fresh_clone(here)

    (here.folder / "rules.toml").write_text("[package_bytes]\nmax = 1\n", encoding="utf-8")
    refused = here.try_run("dvc", "repro")
    assert refused.returncode != 0 and "exited with 4" in refused.stdout
