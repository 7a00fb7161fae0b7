"""The Kubeflow pipeline: compiled, and run with Kubeflow's own local runner, every component by the real command."""

import json
from itertools import pairwise

import pytest
import yaml

from labelstream_train.stages import STAGES

from .pipeline_tools import TOOLS, TRAINING, Project, project

KUBEFLOW = TRAINING / "pipelines" / "kubeflow.py"

LOCAL = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
import kubeflow
from kfp import local
from labelstream_train import settings
text = Path("mine.toml").read_text()
local.init(local.SubprocessRunner(use_venv=False), pipeline_root="artifacts")
made = kubeflow.pipeline(settings.check(settings.read(Path("mine.toml"))), "unused")
made(data=str(Path("data").resolve()), settings=text)
"""


@pytest.fixture
def here(tmp_path) -> Project:
    return project(tmp_path)


def _compiled(here: Project) -> dict:
    here.run(TOOLS / "python", KUBEFLOW, "--image", "example.org/labelstream-train:1", "--settings", "mine.toml")
    return yaml.safe_load((here.folder / "pipeline.yaml").read_text(encoding="utf-8"))


def test_the_compiled_pipeline_has_each_wanted_stage_once_and_in_order(here):
    compiled = _compiled(here)
    tasks = compiled["root"]["dag"]["tasks"]
    named = {task["taskInfo"]["name"]: name for name, task in tasks.items() if name != "importer"}
    wanted = [stage.name for stage in STAGES if stage.name not in ("tune", "register")]
    assert sorted(named) == sorted(wanted)
    for before, after in pairwise(wanted):
        assert named[before] in tasks[named[after]]["dependentTasks"]
        assert tasks[named[after]]["inputs"]["parameters"]["stage"]["runtimeValue"]["constant"] == after
    executors = compiled["deploymentSpec"]["executors"].values()
    containers = [each["container"] for each in executors if "container" in each]
    assert {each["image"] for each in containers} == {"example.org/labelstream-train:1"}
    assert all('"labelstream-train", stage' in " ".join(each["command"]) for each in containers)
    assert set(compiled["root"]["inputDefinitions"]["parameters"]) == {"data", "settings"}


def test_it_runs_to_a_gated_package(here):
    here.run(TOOLS / "python", "-c", LOCAL.format(folder=str(KUBEFLOW.parent)))
    verdicts = list(here.folder.glob("artifacts/**/gate/verdict.json"))
    assert len(verdicts) == 1, "only the last component has a verdict"
    assert json.loads(verdicts[0].read_text(encoding="utf-8"))["passed"]
    run = verdicts[0].parents[1]
    assert (run / "package" / "model.onnx").is_file() and (run / "evaluate" / "report.html").is_file()
    assert len(list(here.folder.glob("artifacts/**/validate/report.json"))) == 5, "each stage hands on the whole run"


def test_a_refused_data_set_ends_the_pipeline(here):
    (here.folder / "data" / "train.jsonl").write_text('{"text": "", "label": "a"}\n', encoding="utf-8")
    done = here.try_run(TOOLS / "python", "-c", LOCAL.format(folder=str(KUBEFLOW.parent)))
    assert done.returncode != 0
    assert "row.text_blank" in done.stdout and "exit status 4" in done.stdout
    assert not list(here.folder.glob("artifacts/**/train")), "no later component was run"
