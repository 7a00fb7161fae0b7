"""One run: its settings, and its folder, where each stage finds the output of earlier ones."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .data.parts import Parts
from .errors import Stopped
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Run:
    """`deadline` is on the monotonic clock; None: no limit.

    A tier's `train` calls `report(step, figures)` after each epoch or share of the data, with `quality` (accuracy;
    multi-label: mean average precision) and `nll` on the held-out texts; `tune` ends a trial by raising from it.
    """

    settings: Settings
    out: Path
    deadline: float | None = None
    report: Callable[[int, Mapping[str, float]], None] = lambda step, figures: None

    @property
    def data(self) -> Path:
        """The parts: written by `validate`, read by all later stages."""
        return self.out / "data"

    @property
    def validate(self) -> Path:
        """report.json and report.html about the data."""
        return self.out / "validate"

    @property
    def tune(self) -> Path:
        """study.db, best.toml, report.json."""
        return self.out / "tune"

    @property
    def train(self) -> Path:
        """The trained model, and train.json."""
        return self.out / "train"

    @property
    def package(self) -> Path:
        """The model package that is served."""
        return self.out / "package"

    @property
    def evaluate(self) -> Path:
        """report.json and report.html about the package."""
        return self.out / "evaluate"

    @property
    def gate(self) -> Path:
        """verdict.json, comparison.json (with the package in use), report.html (that of `evaluate` with both)."""
        return self.out / "gate"

    @property
    def register(self) -> Path:
        """registered.json."""
        return self.out / "register"

    def parts(self) -> Parts:
        """The data set as `validate` split it."""
        return Parts.read(self.data)

    def seconds_left(self) -> float | None:
        """Seconds until the deadline, never below 0; None: no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def stop_if_over(self, doing: str) -> None:
        """Raises `Stopped` once the time limit is reached; call it only after saving the work so far."""
        if self.seconds_left() == 0.0:
            raise Stopped(f"the time limit of --minutes is reached, {doing}; run the same command again to resume")
