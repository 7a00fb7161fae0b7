"""Receives the reports of a trial while it trains, and stops it early if it is pruned."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import optuna

from .. import atomic_file
from ..errors import UserError
from .tracking import Tracked


@dataclass(slots=True)
class Watch:
    """Receives the reports of one trial: stores them, logs them, and stops the trial if it is pruned.

    Only the first fold is compared with other trials; a trial that survives it runs all its folds.
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
            raise optuna.TrialPruned

    def read(self) -> None:
        """Reads the reports of an interrupted attempt with the same values; drops a last line that a kill cut short."""
        if not self.path.is_file():
            return
        whole = self.path.read_text(encoding="utf-8").rpartition("\n")[0]
        atomic_file.write_text(self.path, whole + "\n" if whole else "")
        for step, figures in map(json.loads, whole.splitlines()):
            self._take(step, figures)

    def best(self) -> float:
        """The best score of all steps, as `train` keeps the weights of the best epoch."""
        if not self.seen:
            raise UserError("tune: the tier reported no metric")
        return self._best()[self.figure]

    def log_loss(self) -> float:
        """The log loss at the best step."""
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
