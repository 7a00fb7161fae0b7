"""The study in OUT/tune/study.db: all trials with their values and scores, and which trial is next.

A trial that a kill or the deadline interrupted is marked failed, and its values go first in the queue, so the study
loses only its number. Each draw is seeded by the run's seed and the number of drawn trials that ended: an interrupted
study draws the same values as an uninterrupted one.
"""

import hashlib
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..run import Run
from . import space
from .settings import TuneSettings

NAME = "labelstream"
DEFAULT = "default"
"""Attribute of the first trial, which uses the default values: its keys whose default lies in the space."""
LOG_LOSS = "log_loss"
ERROR = "error"
"""Attribute of a trial whose values training refuses: it counts as ended and is not repeated."""
LOCK_WAIT_S = 120
"""How long a process waits for a locked database; SQLite's default of 5 s is too short on a busy disk."""


def _storage(file: Path) -> optuna.storages.RDBStorage:
    """The study's database; several processes may write to it, so each waits for its lock."""
    return optuna.storages.RDBStorage(
        f"sqlite:///{file.resolve()}", engine_kwargs={"connect_args": {"timeout": LOCK_WAIT_S}}
    )


class Study:
    """The trials of a run's search; with `worker`, as one of several processes that share it."""

    def __init__(self, run: Run, worker: int | None = None):
        settings, defaults = run.settings.tune, run.settings.dump()[run.settings.run.tier]
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        run.tune.mkdir(parents=True, exist_ok=True)
        self.space, self.seed, self.startup_trials = (
            space.of(run.settings),
            run.settings.run.seed,
            settings.startup_trials,
        )
        self.optuna = optuna.create_study(
            storage=_storage(run.tune / "study.db"), study_name=NAME, load_if_exists=True,
            direction="maximize" if settings.figure == "quality" else "minimize",
            pruner=_pruner(settings, defaults.get("epochs")),
        )  # fmt: skip
        self.figure, self.worker = settings.figure, worker
        if worker is not None:
            return
        for trial in self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.repeat(trial)
        if not self.optuna.get_trials(deepcopy=False):
            known = {key: defaults[key] for key, each in self.space.items() if each.holds(defaults[key])}
            self.optuna.enqueue_trial(known, user_attrs={DEFAULT: list(known)})

    def repeat(self, trial: FrozenTrial | optuna.Trial) -> None:
        """Marks an interrupted trial as failed, and queues its values as the next trial."""
        self.optuna.tell(trial.number, state=TrialState.FAIL)
        if trial.params or DEFAULT in trial.user_attrs:
            kept = {key: value for key, value in trial.user_attrs.items() if key == DEFAULT}
            self.optuna.enqueue_trial(trial.params, user_attrs=kept)

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """The next trial and its values."""
        own = "" if self.worker is None else f":{self.worker}"
        drawn = sum(DEFAULT not in trial.user_attrs for trial in self.ended())
        entropy = hashlib.sha256(f"{self.seed}:{drawn}{own}".encode()).digest()
        self.optuna.sampler = optuna.samplers.TPESampler(
            n_startup_trials=self.startup_trials + 1, seed=int.from_bytes(entropy[:4], "big"),
            constant_liar=self.worker is not None,
        )  # fmt: skip
        trial = self.optuna.ask()
        known = trial.user_attrs.get(DEFAULT)
        return trial, space.draw(trial, self.space if known is None else {key: self.space[key] for key in known})

    def under_way(self) -> int:
        """The number of trials that have ended or are running, in any process."""
        running = self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return len(self.ended()) + len(running)

    def default(self) -> FrozenTrial | None:
        """The completed trial with the settings as given."""
        found = [trial for trial in self.completed() if DEFAULT in trial.user_attrs]
        return found[0] if found else None

    def completed(self) -> list[FrozenTrial]:
        """All completed trials."""
        return self.optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def complete(self, trial: optuna.Trial, value: float, log_loss: float) -> None:
        """Records the score of a trial; `log_loss` decides between equal ones."""
        trial.set_user_attr(LOG_LOSS, log_loss)
        self.optuna.tell(trial, value)

    def prune(self, trial: optuna.Trial) -> None:
        """Records that the trial was stopped early."""
        self.optuna.tell(trial, state=TrialState.PRUNED)

    def give_up(self, trial: optuna.Trial, error: str) -> None:
        """Records that training refuses the trial's values."""
        trial.set_user_attr(ERROR, error)
        self.optuna.tell(trial, state=TrialState.FAIL)

    def ended(self) -> list[FrozenTrial]:
        """All trials that count, in order: completed, pruned and failed ones."""
        return [trial for trial in self.optuna.get_trials(deepcopy=False) if is_ended(trial)]

    def best(self) -> FrozenTrial | None:
        """The completed trial with the best score; ties go to the lowest log loss, then to the first."""
        sign = -1.0 if self.figure == "quality" else 1.0
        return min(
            self.completed(), default=None,
            key=lambda trial: (round(sign * trial.value, 9), trial.user_attrs.get(LOG_LOSS, 0.0), trial.number),
        )  # fmt: skip

    def note(self) -> str:
        """For the progress line: the best score so far."""
        best = self.best()
        return "" if best is None else f"best {self.figure} {best.value:.4f}"

    def importances(self) -> dict[str, float]:
        """Key -> share of the variance that it explains, 0..=1; empty if too few trials completed."""
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
    """The state of an ended trial, in words."""
    if trial.state == TrialState.COMPLETE:
        return "completed"
    return "pruned" if trial.state == TrialState.PRUNED else "given up"


def _pruner(settings: TuneSettings, steps: int | None) -> optuna.pruners.BasePruner:
    """`median` stops trials below the median of earlier trials at the same step; `hyperband` (Li et al. 2018) halves
    groups of trials repeatedly."""
    if settings.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=settings.startup_trials)
    if settings.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=steps or "auto")
    return optuna.pruners.NopPruner()
