"""Compiles the stages of labelstream-train into a Kubeflow pipeline: each component calls the stage's command.

A component takes the previous run folder as an artifact, copies it, and continues in the copy: this needs only
Kubeflow's artifact store, and each component's artifact is the whole run at that point. Data, package, metrics and
reports are also artifacts of their own types. A stage that refuses (exit code 4) ends the pipeline. usage: python
pipelines/kubeflow.py --image IMAGE --settings FILE [--out pipeline.yaml] [--cpu 2-4] [--memory 4Gi-8Gi]
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kfp import compiler, dsl
from kfp.dsl.base_component import BaseComponent

from labelstream_train import settings
from labelstream_train.errors import UserError
from labelstream_train.settings import Settings
from labelstream_train.stages import STAGES

# Kubeflow copies the source of a component's function into the pipeline, so each function has its own imports. `run` is
# the whole run folder after the stage; the other artifacts are what Kubeflow's pages show.


def validate(
    settings: str,
    data: dsl.Input[dsl.Dataset],
    run: dsl.Output[dsl.Artifact],
    parts: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Makes the run folder from a file or folder of labelled texts and the text of a settings file."""
    import pathlib
    import shutil
    import subprocess

    out = pathlib.Path(run.path)
    out.parent.mkdir(parents=True, exist_ok=True)
    given = out.with_name("given.toml")
    given.write_text(settings, encoding="utf-8")
    command = ["labelstream-train", "validate", "--out", str(out), "--settings", str(given), "--data", data.path]
    subprocess.run(command, check=True)
    shutil.copytree(out / "data", parts.path, dirs_exist_ok=True)
    shutil.copy(out / "validate" / "report.html", report.path)


def tune(before: dsl.Input[dsl.Artifact], run: dsl.Output[dsl.Artifact], report: dsl.Output[dsl.HTML]) -> None:
    """Searches for better settings."""
    import shutil
    import subprocess

    shutil.copytree(before.path, run.path, dirs_exist_ok=True)
    subprocess.run(["labelstream-train", "tune", "--out", run.path], check=True)
    shutil.copy(f"{run.path}/tune/report.html", report.path)


def train(before: dsl.Input[dsl.Artifact], run: dsl.Output[dsl.Artifact], metrics: dsl.Output[dsl.Metrics]) -> None:
    """Learns from the train part; the metrics are those on the held-out texts."""
    import json
    import pathlib
    import shutil
    import subprocess

    shutil.copytree(before.path, run.path, dirs_exist_ok=True)
    subprocess.run(["labelstream-train", "train", "--out", run.path], check=True)
    learned = json.loads(pathlib.Path(run.path, "train", "train.json").read_text(encoding="utf-8"))
    for name, value in learned["figures"].items():
        metrics.log_metric(name, value)


def export(before: dsl.Input[dsl.Artifact], run: dsl.Output[dsl.Artifact], package: dsl.Output[dsl.Model]) -> None:
    """Writes the package."""
    import shutil
    import subprocess

    shutil.copytree(before.path, run.path, dirs_exist_ok=True)
    subprocess.run(["labelstream-train", "export", "--out", run.path], check=True)
    shutil.copytree(f"{run.path}/package", package.path, dirs_exist_ok=True)


def evaluate(
    before: dsl.Input[dsl.Artifact],
    run: dsl.Output[dsl.Artifact],
    package: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Measures the package, and completes it with its figures and its card."""
    import json
    import pathlib
    import shutil
    import subprocess

    shutil.copytree(before.path, run.path, dirs_exist_ok=True)
    subprocess.run(["labelstream-train", "evaluate", "--out", run.path], check=True)
    shutil.copytree(f"{run.path}/package", package.path, dirs_exist_ok=True)
    shutil.copy(f"{run.path}/evaluate/report.html", report.path)
    figures = json.loads(pathlib.Path(run.path, "evaluate", "metrics.json").read_text(encoding="utf-8"))
    for name, value in figures.items():
        metrics.log_metric(name, value)


def gate(
    before: dsl.Input[dsl.Artifact],
    run: dsl.Output[dsl.Artifact],
    package: dsl.Output[dsl.Model],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Judges the package; one that fails ends the pipeline. The report is that of `evaluate` with the verdict."""
    import json
    import pathlib
    import shutil
    import subprocess

    shutil.copytree(before.path, run.path, dirs_exist_ok=True)
    subprocess.run(["labelstream-train", "gate", "--out", run.path], check=True)
    shutil.copytree(f"{run.path}/package", package.path, dirs_exist_ok=True)
    shutil.copy(f"{run.path}/gate/report.html", report.path)
    verdict = json.loads(pathlib.Path(run.path, "gate", "verdict.json").read_text(encoding="utf-8"))
    package.metadata["digest"] = verdict["package_digest"]
    package.metadata["gate"] = "passed"


def register(before: dsl.Input[dsl.Artifact], run: dsl.Output[dsl.Artifact]) -> None:
    """Puts the package into the registry that the settings name."""
    import shutil
    import subprocess

    shutil.copytree(before.path, run.path, dirs_exist_ok=True)
    subprocess.run(["labelstream-train", "register", "--out", run.path], check=True)


COMPONENTS = {each.__name__: each for each in (validate, tune, train, export, evaluate, gate, register)}


@dataclass(frozen=True, slots=True)
class Resources:
    """What a component asks for and may use at most, in Kubernetes' words."""

    cpu_request: str
    cpu_limit: str
    memory_request: str
    memory_limit: str


SMALL = Resources("500m", "2", "1Gi", "4Gi")
LARGE = Resources("2", "4", "4Gi", "8Gi")
LARGE_STAGES = ("tune", "train", "export", "evaluate")
"""They compute with every core that they may use; the others wait for files or a registry most of the time."""


def pipeline(given: Settings, image: str, large: Resources = LARGE) -> BaseComponent:
    """The pipeline of the stages that `given` wants, run in `image`; it has the parameters `data` and `settings`.

    `large` is for the stages that compute."""
    wanted = [stage for stage in STAGES if stage.is_wanted(given)]
    made = {stage.name: dsl.component(COMPONENTS[stage.name], base_image=image, install_kfp_package=False)
            for stage in wanted}  # fmt: skip

    @dsl.pipeline(name="labelstream-train", description="from labelled texts to a gated model package")
    def train(data: str, settings: str) -> None:
        texts = dsl.importer(artifact_uri=data, artifact_class=dsl.Dataset, reimport=False)
        task = None
        for stage in wanted:
            component = made[stage.name]
            task = (
                component(settings=settings, data=texts.output)
                if task is None
                else component(before=task.outputs["run"])
            )
            task.set_display_name(stage.name)
            task.set_caching_options(not stage.asks_registry(given))
            _limit(task, large if stage.name in LARGE_STAGES else SMALL)

    return train


def _limit(task: dsl.PipelineTask, found: Resources) -> None:
    task.set_cpu_request(found.cpu_request).set_cpu_limit(found.cpu_limit)
    task.set_memory_request(found.memory_request).set_memory_limit(found.memory_limit)


def _span(text: str) -> tuple[str, str]:
    request, separator, limit = text.partition("-")
    if not (request and separator and limit):
        raise argparse.ArgumentTypeError(f"{text!r}: expected REQUEST-LIMIT, such as 2-4 or 4Gi-8Gi")
    return request, limit


def main(arguments: Sequence[str]) -> int:
    """Writes the compiled pipeline."""
    parser = argparse.ArgumentParser(description="compiles the stages into a Kubeflow pipeline")
    parser.add_argument("--image", required=True, help="container image with labelstream-train and kfp")
    parser.add_argument("--settings", type=Path, required=True, help="settings file; says which stages there are")
    parser.add_argument("--out", type=Path, default=Path("pipeline.yaml"), help="[pipeline.yaml]")
    parser.add_argument("--cpu", type=_span, default=(LARGE.cpu_request, LARGE.cpu_limit), metavar="REQUEST-LIMIT",
                        help="cores of the components that compute [2-4]")  # fmt: skip
    parser.add_argument("--memory", type=_span, default=(LARGE.memory_request, LARGE.memory_limit),
                        metavar="REQUEST-LIMIT", help="memory of the components that compute [4Gi-8Gi]")  # fmt: skip
    parsed = parser.parse_args(arguments)
    try:
        given = settings.check(settings.read(parsed.settings))
    except UserError as error:
        print(f"error: failed to {error}", file=sys.stderr)
        return 2
    # The settings are given with each run: as a default of several lines they would break Kubeflow's own header.
    made = pipeline(given, parsed.image, Resources(*parsed.cpu, *parsed.memory))
    compiler.Compiler().compile(made, str(parsed.out))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
