"""The study in OUT/tune/study.db: which trials there were, which one to do next, and what each came to.

A trial that a kill or the deadline left behind is marked failed and put first in the queue with the same values,
so the study loses nothing but its number. Each draw has a seed of its own, made of the run's and the count of
trials that ended: an interrupted study draws what an uninterrupted one does.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from .settings import Range, TuneSettings
from .space import draw

NAME = "labelstream"
ERROR = "error"
"""Attribute of a trial whose values cannot be trained with: it counts as ended and is not repeated."""


class Study:
    """Trials one after another, in one process."""

    def __init__(self, folder: Path, settings: TuneSettings, space: Mapping[str, Range], seed: int, steps: int | None):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self.space, self.seed, self.startup_trials = space, seed, settings.startup_trials
        self.optuna = optuna.create_study(
            storage=f"sqlite:///{(folder / 'study.db').resolve()}", study_name=NAME, load_if_exists=True,
            direction="maximize" if settings.figure == "quality" else "minimize", pruner=_pruner(settings, steps),
        )  # fmt: skip
        for trial in self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.repeat(trial)

    def repeat(self, trial: FrozenTrial | optuna.Trial) -> None:
        """Marks a trial that did not end as failed; its values are the next trial's."""
        self.optuna.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            self.optuna.enqueue_trial(trial.params)

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """The next trial and its values."""
        entropy = hashlib.sha256(f"{self.seed}:{len(self.ended())}".encode()).digest()
        self.optuna.sampler = optuna.samplers.TPESampler(
            n_startup_trials=self.startup_trials, seed=int.from_bytes(entropy[:4], "big")
        )
        trial = self.optuna.ask()
        return trial, draw(trial, self.space)

    def complete(self, trial: optuna.Trial, value: float) -> None:
        """The trial came to its end with this figure."""
        self.optuna.tell(trial, value)

    def prune(self, trial: optuna.Trial) -> None:
        """The trial was ended early."""
        self.optuna.tell(trial, state=TrialState.PRUNED)

    def give_up(self, trial: optuna.Trial, error: str) -> None:
        """The trial's values cannot be trained with."""
        trial.set_user_attr(ERROR, error)
        self.optuna.tell(trial, state=TrialState.FAIL)

    def ended(self) -> list[FrozenTrial]:
        """All trials that count: completed, pruned, given up; in their order."""
        return [trial for trial in self.optuna.get_trials(deepcopy=False) if is_ended(trial)]

    def best(self) -> FrozenTrial | None:
        """The completed trial with the best figure; of equal ones the first."""
        completed = self.optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return self.optuna.best_trial if completed else None

    def importances(self) -> dict[str, float]:
        """Key -> share of the variation that it explains, 0..=1; empty while too few trials completed."""
        values = {trial.value for trial in self.optuna.get_trials(states=(TrialState.COMPLETE,))}
        if len(values) < 2 or len(self.space) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
        found = optuna.importance.get_param_importances(self.optuna, evaluator=evaluator)
        return {key: float(share) for key, share in found.items()}


def is_ended(trial: FrozenTrial) -> bool:
    """Whether it counts as one of `tune.trials`."""
    gave_up = trial.state == TrialState.FAIL and ERROR in trial.user_attrs
    return gave_up or trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def state(trial: FrozenTrial) -> Literal["completed", "pruned", "given up"]:
    """Of a trial that ended, in words."""
    if trial.state == TrialState.COMPLETE:
        return "completed"
    return "pruned" if trial.state == TrialState.PRUNED else "given up"


def _pruner(settings: TuneSettings, steps: int | None) -> optuna.pruners.BasePruner:
    """`median` ends what is worse than the median of earlier trials at the same step; `hyperband` (Li et al. 2018)
    halves groups of trials again and again."""
    if settings.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=settings.startup_trials)
    if settings.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=steps or "auto")
    return optuna.pruners.NopPruner()
