"""The Kubeflow pipeline: compiled, and run with Kubeflow's own local runner, every component by the real command."""

import json
from itertools import pairwise

import pytest
import yaml

from labelstream_train.stages import STAGES

from .pipeline_tools import TOOLS, TRAINING, Project, project

KUBEFLOW = TRAINING / "pipelines" / "kubeflow.py"
RUN_LOCALLY = TRAINING / "pipelines" / "run_locally.py"
KINDS = {
    "validate": {"run": "Artifact", "parts": "Dataset", "report": "HTML"},
    "train": {"run": "Artifact", "metrics": "Metrics"},
    "export": {"run": "Artifact", "package": "Model"},
    "evaluate": {"run": "Artifact", "package": "Model", "metrics": "Metrics", "report": "HTML"},
    "gate": {"run": "Artifact", "package": "Model", "report": "HTML"},
}
"""Component -> name and kind of what it hands on."""


@pytest.fixture
def here(tmp_path) -> Project:
    return project(tmp_path)


def _compiled(here: Project, *more: str) -> dict:
    here.run(TOOLS / "python", KUBEFLOW, "--image", "example.org/labelstream-train:1", "--settings", "mine.toml", *more)
    return yaml.safe_load((here.folder / "pipeline.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> dict:
    """With the default resources."""
    return _compiled(project(tmp_path_factory.mktemp("compiled")))


def test_the_compiled_pipeline_has_each_wanted_stage_once_and_in_order(compiled):
    tasks = compiled["root"]["dag"]["tasks"]
    named = {task["taskInfo"]["name"]: name for name, task in tasks.items() if name != "importer"}
    wanted = [stage.name for stage in STAGES if stage.name not in ("tune", "register")]
    assert sorted(named) == sorted(wanted)
    for before, after in pairwise(wanted):
        assert named[before] in tasks[named[after]]["dependentTasks"]
    executors = compiled["deploymentSpec"]["executors"].values()
    containers = [each["container"] for each in executors if "container" in each]
    assert {each["image"] for each in containers} == {"example.org/labelstream-train:1"}
    for name, task in named.items():
        source = " ".join(_executor(compiled, task)["container"]["command"])
        assert f'"labelstream-train", "{name}"' in source
    assert set(compiled["root"]["inputDefinitions"]["parameters"]) == {"data", "settings"}


def test_artifacts_are_of_their_kinds(compiled):
    tasks = compiled["root"]["dag"]["tasks"]
    for task in tasks.values():
        if (name := task["taskInfo"]["name"]) in KINDS:
            outputs = compiled["components"][task["componentRef"]["name"]]["outputDefinitions"]["artifacts"]
            kinds = {key: each["artifactType"]["schemaTitle"].removeprefix("system.") for key, each in outputs.items()}
            assert kinds == KINDS[name]
    data = compiled["components"][tasks["validate"]["componentRef"]["name"]]["inputDefinitions"]["artifacts"]["data"]
    assert data["artifactType"]["schemaTitle"] == "system.Dataset"


def test_every_component_asks_for_resources_and_has_limits(here):
    compiled = _compiled(here, "--cpu", "3-6", "--memory", "5Gi-9Gi")
    for name, task in compiled["root"]["dag"]["tasks"].items():
        if name != "importer":
            found = _executor(compiled, task["taskInfo"]["name"])["container"]["resources"]
            is_large = name in ("train", "export", "evaluate")
            wanted = ("3", "6", "5Gi", "9Gi") if is_large else ("500m", "2", "1Gi", "4Gi")
            keys = ("resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit")
            assert tuple(found[key] for key in keys) == wanted
    refused = here.try_run(TOOLS / "python", KUBEFLOW, "--image", "x", "--settings", "mine.toml", "--cpu", "3")
    assert refused.returncode == 2 and "expected REQUEST-LIMIT" in refused.stdout


def _executor(compiled: dict, task: str) -> dict:
    tasks = compiled["root"]["dag"]["tasks"].values()
    named = next(each["componentRef"]["name"] for each in tasks if each["taskInfo"]["name"] == task)
    return compiled["deploymentSpec"]["executors"][compiled["components"][named]["executorLabel"]]


@pytest.mark.pipelines
def test_the_compiled_pipeline_runs_to_a_gated_package(here):
    _compiled(here)
    here.run(TOOLS / "python", RUN_LOCALLY, "--data", "data", "--settings", "mine.toml")
    verdicts = list(here.folder.glob("artifacts/**/gate/verdict.json"))
    assert len(verdicts) == 1, "only the last component has a verdict"
    assert json.loads(verdicts[0].read_text(encoding="utf-8"))["passed"]
    run = verdicts[0].parents[1]
    assert (run / "package" / "model.onnx").is_file() and (run / "evaluate" / "report.html").is_file()
    assert len(list(here.folder.glob("artifacts/**/validate/report.json"))) == 5, "each stage hands on the whole run"
    reports = [path.read_text(encoding="utf-8") for path in here.folder.glob("artifacts/**/report") if path.is_file()]
    assert len(reports) == 3 and all(each.startswith("<!doctype html>") for each in reports)
    packages = [path for path in here.folder.glob("artifacts/**/package/labelstream.json") if path.parents[1] != run]
    assert len(packages) >= 3
    logged = [path for path in here.folder.glob("artifacts/**/executor_output.json")]
    assert any('"accuracy"' in path.read_text(encoding="utf-8") for path in logged)


@pytest.mark.pipelines
def test_a_refused_data_set_ends_the_pipeline(here):
    (here.folder / "data" / "train.jsonl").write_text('{"text": "", "label": "a"}\n', encoding="utf-8")
    _compiled(here)
    done = here.try_run(TOOLS / "python", RUN_LOCALLY, "--data", "data", "--settings", "mine.toml")
    assert done.returncode == 1 and "error: failed to run pipeline.yaml" in done.stdout
    assert "row.text_blank" in done.stdout and "exit status 4" in done.stdout
    assert not list(here.folder.glob("artifacts/**/train")), "no later component was run"
