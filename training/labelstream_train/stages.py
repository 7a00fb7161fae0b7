"""The stages of a run, in order. Each is one function; the CLI, DVC and Kubeflow all run these."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from .errors import UserError
from .run import Run
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Stage:
    """One step from texts to a registered package.

    `function` is module:function. Its result depends on `settings`, keys or whole sections (`TIER` stands for the
    section of the tier in use); for the keys in `files`, which name a file or folder, the content counts. `reads` and
    `writes` are paths in the run folder. If `asks_program`, the result also depends on the `labelstream` program. A
    stage that `is_costly` runs again only on request.
    """

    name: str
    help: str
    function: str
    settings: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    files: tuple[str, ...] = ()
    is_costly: bool = False
    asks_program: bool = False

    def call(self, run: Run) -> None:
        """Imports the stage's module only now, so that other stages run without torch."""
        module, _, name = self.function.partition(":")
        cast(Callable[[Run], None], getattr(importlib.import_module(f"labelstream_train.{module}"), name))(run)

    def is_wanted(self, settings: Settings) -> bool:
        """`tune` and `register` run only if the settings ask for them."""
        if self.name == "tune":
            return settings.tune.trials > 0
        return self.name != "register" or settings.register.registry is not None

    def asks_registry(self, settings: Settings) -> bool:
        """Whether the result depends on a registry, which others can change: then the stage always runs."""
        return self.name == "register" or (
            self.name == "gate" and (settings.gate.champion or "").startswith("models:/")
        )


_TRAINED_ON = ("data/train.parquet", "data/held_out.parquet")
_MODEL = ("package", "fp32", "int8", "int8_dynamic", "export.json")
_LEARNT_FROM = ("encoder.base", "encoder.teachers", "fast.base", "fast.teacher", "fast.unlabelled")
_LEARNING = ("run.tier", "run.seed", "data.multi_label", "TIER")

STAGES = (
    Stage(
        "validate", "read, check and split the data", "validate.stage:validate",
        settings=("data", "split", "validate", "gate.rules"), reads=(), writes=("data", "validate"),
        files=("data.path", "data.validation", "data.test", "data.out_of_scope", "gate.rules", "validate.tokenizer"),
    ),
    Stage(
        "tune", "search for better hyperparameters", "tune.stage:tune",
        settings=(*_LEARNING, "tune"), reads=_TRAINED_ON, writes=("tune",),
        files=_LEARNT_FROM, is_costly=True,
    ),
    Stage(
        "train", "train the model", "tiers:train",
        settings=_LEARNING, reads=_TRAINED_ON, writes=("train",),
        files=_LEARNT_FROM, is_costly=True,
    ),
    Stage(
        "export", "write the package and check it against the trained model", "package.stage:export",
        settings=("run.tier", "run.name", "run.version", "data", "export", "TIER"), reads=("data", "train"),
        writes=(*_MODEL, "int8"), asks_program=True,
    ),
    Stage(
        "evaluate", "measure the package on the test texts", "evaluate.stage:evaluate",
        settings=("evaluate",), reads=("data", "train/curve.csv", *_MODEL), writes=("evaluate",),
        files=("evaluate.bias_data", "evaluate.card"),
    ),
    Stage(
        "gate", "check the package against the rules", "gate.stage:gate",
        settings=("gate",), reads=("data", "package", "evaluate", "export.json"), writes=("gate",),
        files=("gate.rules", "gate.champion"), asks_program=True,
    ),
    Stage(
        "register", "add the package to a registry", "register.stage:register",
        settings=("register",), reads=("package", "evaluate", "gate"), writes=("register",),
    ),
)  # fmt: skip


def stage(name: str) -> Stage:
    """The stage called `name`."""
    for each in STAGES:
        if each.name == name:
            return each
    raise UserError(f"find the stage {name!r}: there are {', '.join(each.name for each in STAGES)}")
