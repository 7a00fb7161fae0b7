"""The stages of a run in order: each is one function, and every way to run it (CLI, DVC, Kubeflow) ends here."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from .run import Run
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Stage:
    """`function` is module:function; `reads` and `writes` are paths in the run folder, `sections` are settings."""

    name: str
    function: str
    sections: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    help: str

    def call(self, run: Run) -> None:
        """Loads the stage's module now, so that a stage without torch runs without torch."""
        module, _, name = self.function.partition(":")
        cast(Callable[[Run], None], getattr(importlib.import_module(f"labelstream_train.{module}"), name))(run)

    def is_wanted(self, settings: Settings) -> bool:
        """Tuning and registering happen only where settings ask for them."""
        if self.name == "tune":
            return settings.tune.trials > 0
        return self.name != "register" or settings.register.registry is not None


STAGES = (
    Stage("validate", "validate.stage:validate", ("data", "split", "validate"), (),
          ("data", "validate"), "read, check and split the data"),
    Stage("tune", "tune.stage:tune", ("run", "tune", "TIER"), ("data",), ("tune",), "search better settings"),
    Stage("train", "tiers:train", ("run", "TIER"), ("data", "tune/best.toml"), ("train",), "learn from train"),
    Stage("export", "package.stage:export", ("run", "data", "export", "TIER"), ("data", "train"),
          ("package", "fp32", "int8_dynamic", "export.json"), "write the package, prove that it computes the same"),
    Stage("evaluate", "evaluate.stage:evaluate", ("evaluate",),
          ("data", "package", "fp32", "int8_dynamic", "export.json"), ("evaluate",), "measure the package"),
    Stage("gate", "gate.stage:gate", ("gate",), ("data", "package", "evaluate", "export.json"), ("gate",),
          "refuse a package that is not good enough"),
    Stage("register", "register.stage:register", ("register",), ("package", "evaluate", "gate", "train/train.json"),
          ("register",), "put the package into a registry"),
)
"""`TIER` stands for the section of the tier in use."""
