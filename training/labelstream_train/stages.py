"""The stages of a run in order: each is one function, and every way to run it (CLI, DVC, Kubeflow) ends here."""

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

    `function` is module:function. `settings` are the keys or whole sections that its result depends on (`TIER`
    stands for the section of the tier in use), `files` those keys that name a file or folder, whose content counts.
    `reads` and `writes` are paths in the run folder. `asks_program` says that the `labelstream` program has a part in
    the result. What `is_costly` is never done again unasked.
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
        """Loads the stage's module now, so that a stage without torch runs without torch."""
        module, _, name = self.function.partition(":")
        cast(Callable[[Run], None], getattr(importlib.import_module(f"labelstream_train.{module}"), name))(run)

    def is_wanted(self, settings: Settings) -> bool:
        """Tuning and registering happen only where the settings ask for them."""
        if self.name == "tune":
            return settings.tune.trials > 0
        return self.name != "register" or settings.register.registry is not None

    def asks_registry(self, settings: Settings) -> bool:
        """Whether its result depends on a registry, which others change: then it is never skipped as done."""
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
        "tune", "search for better settings", "tune.stage:tune",
        settings=(*_LEARNING, "tune"), reads=_TRAINED_ON, writes=("tune",),
        files=_LEARNT_FROM, is_costly=True,
    ),
    Stage(
        "train", "learn from the train part", "tiers:train",
        settings=_LEARNING, reads=_TRAINED_ON, writes=("train",),
        files=_LEARNT_FROM, is_costly=True,
    ),
    Stage(
        "export", "write the package and prove that it computes the same", "package.stage:export",
        settings=("run.tier", "run.name", "run.version", "data", "export", "TIER"), reads=("data", "train"),
        writes=(*_MODEL, "int8"), asks_program=True,
    ),
    Stage(
        "evaluate", "measure the package", "evaluate.stage:evaluate",
        settings=("evaluate",), reads=("data", "train/curve.csv", *_MODEL), writes=("evaluate",),
        files=("evaluate.bias_data", "evaluate.card"),
    ),
    Stage(
        "gate", "refuse a package that is not good enough", "gate.stage:gate",
        settings=("gate",), reads=("data", "package", "evaluate", "export.json"), writes=("gate",),
        files=("gate.rules", "gate.champion"), asks_program=True,
    ),
    Stage(
        "register", "put the package into a registry", "register.stage:register",
        settings=("register",), reads=("package", "evaluate", "gate"), writes=("register",),
    ),
)  # fmt: skip


def stage(name: str) -> Stage:
    """The stage called `name`."""
    for each in STAGES:
        if each.name == name:
            return each
    raise UserError(f"find the stage {name!r}: there are {', '.join(each.name for each in STAGES)}")
