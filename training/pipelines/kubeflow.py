"""Compiles the stages of labelstream-train into a Kubeflow pipeline: each component calls the stage's command.

A component takes the run folder of the one before as an artifact, copies it, and goes on in the copy, so that nothing
but Kubeflow's own artifact store is needed, and each component's artifact is the whole run as it stood then. A stage
that refuses (exit code 4) ends the pipeline. usage: python pipelines/kubeflow.py --image IMAGE --settings FILE
[--out pipeline.yaml]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kfp import compiler, dsl
from kfp.dsl.base_component import BaseComponent

from labelstream_train import settings
from labelstream_train.errors import UserError
from labelstream_train.settings import Settings
from labelstream_train.stages import STAGES

# Kubeflow copies the source of a component's function into the pipeline, so each imports what it needs by itself.


def begin(stage: str, settings: str, data: dsl.Input[dsl.Dataset], run: dsl.Output[dsl.Artifact]) -> None:
    """The first stage: makes the run folder from a file or folder of labelled texts and the text of a settings file."""
    import pathlib
    import subprocess

    out = pathlib.Path(run.path)
    out.parent.mkdir(parents=True, exist_ok=True)
    given = out.with_name("given.toml")
    given.write_text(settings, encoding="utf-8")
    command = ["labelstream-train", stage, "--out", str(out), "--settings", str(given), "--data", data.path]
    subprocess.run(command, check=True)


def go_on(stage: str, before: dsl.Input[dsl.Artifact], run: dsl.Output[dsl.Artifact]) -> None:
    """Any later stage, in a copy of the run folder as the stage before left it."""
    import shutil
    import subprocess

    shutil.copytree(before.path, run.path, dirs_exist_ok=True)
    subprocess.run(["labelstream-train", stage, "--out", run.path], check=True)


def pipeline(given: Settings, image: str) -> BaseComponent:
    """The pipeline of the stages that `given` wants, run in `image`; it has the parameters `data` and `settings`."""
    first, *rest = [stage for stage in STAGES if stage.is_wanted(given)]
    begin_in_image = dsl.component(begin, base_image=image, install_kfp_package=False)
    go_on_in_image = dsl.component(go_on, base_image=image, install_kfp_package=False)

    @dsl.pipeline(name="labelstream-train", description="from labelled texts to a gated model package")
    def train(data: str, settings: str) -> None:
        texts = dsl.importer(artifact_uri=data, artifact_class=dsl.Dataset, reimport=False)
        task = begin_in_image(stage=first.name, settings=settings, data=texts.output).set_display_name(first.name)
        for stage in rest:
            task = go_on_in_image(stage=stage.name, before=task.outputs["run"]).set_display_name(stage.name)
            task.set_caching_options(not stage.asks_registry(given))

    return train


def main(arguments: Sequence[str]) -> int:
    """Writes the compiled pipeline."""
    parser = argparse.ArgumentParser(description="compiles the stages into a Kubeflow pipeline")
    parser.add_argument("--image", required=True, help="container image with labelstream-train and kfp")
    parser.add_argument("--settings", type=Path, required=True, help="settings file; says which stages there are")
    parser.add_argument("--out", type=Path, default=Path("pipeline.yaml"), help="[pipeline.yaml]")
    parsed = parser.parse_args(arguments)
    try:
        given = settings.check(settings.read(parsed.settings))
    except UserError as error:
        print(f"error: failed to {error}", file=sys.stderr)
        return 2
    # The settings are given with each run: as a default of several lines they would break Kubeflow's own header.
    compiler.Compiler().compile(pipeline(given, parsed.image), str(parsed.out))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
