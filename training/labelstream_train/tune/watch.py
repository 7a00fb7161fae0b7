"""Hears what one trial reports while it trains, and ends it early when it is hopeless."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import optuna

from .. import atomic_file
from ..errors import UserError
from .tracking import Tracked


class Hopeless(Exception):
    """Ends a trial from within its training; caught where the trial was started."""


@dataclass(slots=True)
class Watch:
    """Hears the reports of one trial: keeps them, passes them on, and ends it when it is hopeless.

    Only the first fold is held against other trials; those after it are of a trial that was worth going on with.
    """

    trial: optuna.Trial
    figure: str
    path: Path
    tracked: Tracked | None
    fold: int = 0
    seen: dict[int, dict[str, float]] = field(default_factory=dict)

    def __call__(self, step: int, figures: Mapping[str, float]) -> None:
        if step not in self.seen:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([step, dict(figures)]) + "\n")
        self._take(step, dict(figures))
        if self.fold == 0 and self.trial.should_prune():
            raise Hopeless

    def read(self) -> None:
        """Takes what an interrupted try at the same values has reported; a torn last line is not taken."""
        if not self.path.is_file():
            return
        whole = self.path.read_text(encoding="utf-8").rpartition("\n")[0]
        atomic_file.write_text(self.path, whole + "\n" if whole else "")
        for step, figures in map(json.loads, whole.splitlines()):
            self._take(step, figures)

    def best(self) -> float:
        """The best figure of all steps: as `train` keeps the weights of the best epoch."""
        if not self.seen:
            raise UserError("tune: the tier reported no figure")
        return self._best()[self.figure]

    def log_loss(self) -> float:
        """As reported at the best step."""
        return self._best().get("nll", 0.0)

    def _best(self) -> dict[str, float]:
        choose = max if self.figure == "quality" else min
        return choose(self.seen.values(), key=lambda figures: figures[self.figure])

    def _take(self, step: int, figures: dict[str, float]) -> None:
        if step in self.seen:
            return
        self.seen[step] = figures
        if self.fold == 0:
            self.trial.report(figures[self.figure], step)
        if self.tracked is not None:
            prefix = f"fold{self.fold}." if self.fold else ""
            self.tracked.log(step, {f"{prefix}{name}": value for name, value in figures.items()})
