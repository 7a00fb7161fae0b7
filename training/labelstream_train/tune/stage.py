"""The stage `tune`: trains with other hyperparameters, and keeps the best ones if they are significantly better.

Trial 0 uses the settings as given. OUT/tune then holds `best.toml` for `train` (the given values if there was no
significant gain), `report.json` and `report.html`. The search can be killed at any time: the running trial resumes from
its own checkpoint. Needs torch only if the tier does.
"""

import shutil
from pathlib import Path
from typing import Any

from .. import atomic_file, settings
from ..errors import UserError
from ..progress import Progress
from ..register.registry import status_of
from ..run import Run
from . import report, side_by_side, space, tracking, trial
from .journal import Journal
from .outcome import Outcome, compare
from .study import ERROR, Study

PARENT = "mlflow_run"


def tune(run: Run) -> None:
    """Runs trials up to `tune.trials`; raises `Stopped` at the deadline, with everything saved."""
    wanted, tuned = run.settings.tune, space.of(run.settings)
    if not tuned:
        raise UserError(f"tune the tier {run.settings.run.tier}: tune.space is empty")
    study = Study(run)
    parent = _parent(run, study)
    try:
        with Progress("tune", wanted.trials, "trials", before=len(study.ended())) as progress:
            if wanted.jobs > 1:
                side_by_side.search(run, study, None if parent is None else parent.run_id, progress)
            else:
                _search(run, study, None if parent is None else parent.run_id, progress)
        _finish(run, study)
    except BaseException as error:
        if parent is not None:
            parent.end(status_of(error))
        raise
    if parent is not None:
        parent.end("FINISHED")


def _search(run: Run, study: Study, parent: str | None, progress: Progress) -> None:
    trials = run.settings.tune.trials
    while len(study.ended()) < trials:
        run.stop_if_over(f"after {len(study.ended())} of {trials} trials")
        trial.train(run, study, parent)
        progress.add(1, study.note())


def _parent(run: Run, study: Study) -> tracking.Tracked | None:
    """The study's run on the tracking server: the one of an earlier command, else a new one."""
    if run.settings.run.tracking is None:
        return None
    tracking.close_left_open(run, "trial ")
    name = f"tune {run.settings.run.tier}"
    known = study.optuna.user_attrs.get(PARENT)
    found = tracking.go_on(run, known, Journal(run.out / "tracking" / f"{name}.jsonl")) if known else None
    if found is None:
        params = {f"tune.{key}": value for key, value in run.settings.dump()["tune"].items()}
        found = tracking.start(run, name, params)
    if found is not None:
        study.optuna.set_user_attr(PARENT, found.run_id)
    return found


def _finish(run: Run, study: Study) -> None:
    best, default = study.best(), study.default()
    if best is None:
        errors = [trial.user_attrs[ERROR] for trial in study.ended() if ERROR in trial.user_attrs]
        raise UserError(f"tune: none of {run.settings.tune.trials} trials completed: {(errors or ['-'])[0]}")
    against = _against_default(run, study)
    is_kept = (default is not None and best.number == default.number) or (
        against is not None and not against["is_gain"]
    )
    own = run.settings.dump()[run.settings.run.tier]
    values = {key: own[key] for key in study.space} | ({} if is_kept else best.params)
    shutil.rmtree(run.tune / "trials", ignore_errors=True)
    found = report.write(run, study, against, is_kept)
    print(report.sentence(found))
    atomic_file.write_text(run.tune / "best.toml", settings.to_toml({run.settings.run.tier: values}))


def _against_default(run: Run, study: Study) -> dict[str, Any] | None:
    """The best trial compared with the default; None if either, or its result per text, is missing."""
    best, default = study.best(), study.default()
    if best is None or default is None or best.number == default.number:
        return None
    outcomes = [Outcome.load(_outcome(run, each.number)) for each in (default, best)]
    if outcomes[0] is None or outcomes[1] is None or len(outcomes[0].loss) != len(outcomes[1].loss):
        return None
    return compare(outcomes[0], outcomes[1], len(study.ended()))


def _outcome(run: Run, number: int) -> Path:
    return trial.outcome_path(run, number)
