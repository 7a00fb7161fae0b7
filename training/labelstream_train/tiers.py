"""The two kinds of model that a run can train, behind one interface; each loads only when used."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from .package.settings import Storage
from .run import Run

MODULES = {"encoder": "labelstream_train.encoder.stage", "fast": "labelstream_train.fast.stage"}


class Tier(Protocol):
    """What `encoder/stage.py` and `fast/stage.py` each have as functions."""

    def train(self, run: Run) -> None:
        """Writes OUT/train, or resumes it; raises `Stopped` at the deadline."""
        ...

    def write_model(self, run: Run, folder: Path, storage: Storage) -> None:
        """Writes model.onnx, tokenizer.json and config.json of the trained model."""
        ...

    def logits(self, run: Run, texts: Sequence[str]) -> np.ndarray:
        """[texts, labels] f32 from the framework that trained it, to compare with the exported file."""
        ...


def tier(name: str) -> Tier:
    """The tier called `name`."""
    return cast(Tier, importlib.import_module(MODULES[name]))


def train(run: Run) -> None:
    """The stage `train`: trains the chosen tier, and logs to the tracking server if there is one."""
    from .tune.tracking import following

    with following(run, run.settings.run.name or f"train {run.settings.run.tier}") as followed:
        tier(run.settings.run.tier).train(followed)
