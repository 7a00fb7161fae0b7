"""The stage `tune`: trains the tier with other settings again and again, and keeps the best ones.

OUT/tune then holds `best.toml` (which `train` takes), `report.json` and `report.html`. The search can be killed
at any moment: the trial under way goes on from its own checkpoint. Needs no torch but what the tier needs.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import settings
from ..errors import Stopped, UserError
from ..progress import Progress
from ..register.registry import status_of
from ..run import Run
from ..tiers import tier
from . import report, space, tracking
from .journal import Journal
from .study import ERROR, Study
from .watch import Hopeless, Watch

PARENT = "mlflow_run"


def tune(run: Run) -> None:
    """Trials up to `tune.trials`; raises `Stopped` at the deadline, with everything saved."""
    wanted, tuned = run.settings.tune, space.of(run.settings)
    if not tuned:
        raise UserError(f"tune the tier {run.settings.run.tier}: tune.space names no key")
    steps = run.settings.dump()[run.settings.run.tier].get("epochs")
    study = Study(run.tune, wanted, tuned, run.settings.run.seed, steps)
    parent = _parent(run, study)
    try:
        with Progress("tune", wanted.trials, "trials", before=len(study.ended())) as progress:
            while len(study.ended()) < wanted.trials:
                run.stop_if_over(f"after {len(study.ended())} of {wanted.trials} trials")
                _trial(run, study, parent)
                best = study.best()
                progress.add(1, "" if best is None else f"best {wanted.figure} {best.value:.4f}")
        _finish(run, study)
    except BaseException as error:
        if parent is not None:
            parent.end(status_of(error))
        raise
    if parent is not None:
        parent.end("FINISHED")


def _trial(run: Run, study: Study, parent: tracking.Tracked | None) -> None:
    trial, values = study.ask()
    folder = _folder(run, values)
    tracked = None
    if parent is not None:
        tracked = tracking.start(run, f"trial {trial.number}", values, parent.run_id, may_wait=True)
    watch = Watch(trial, run.settings.tune.figure, folder / "reports.jsonl", tracked)
    status = "FAILED"
    try:
        watch.read()
        trained = Run(space.changed(run.settings, values), folder, run.deadline, watch)
        tier(run.settings.run.tier).train(trained)
        study.complete(trial, watch.best())
        status = "FINISHED"
    except Hopeless:
        study.prune(trial)
        status = "KILLED"
    except Stopped as stop:
        status = "KILLED"
        study.repeat(trial)
        raise Stopped(f"{stop}; {len(study.ended())} of {run.settings.tune.trials} trials are done") from None
    except UserError as error:
        study.give_up(trial, str(error))
    except BaseException as error:
        status = status_of(error)
        raise
    finally:
        if tracked is not None:
            tracked.end(status)
    shutil.rmtree(folder)


def _folder(run: Run, values: Mapping[str, Any]) -> Path:
    """A run folder of these values, with the same data; there again when a trial is repeated."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
    folder = run.tune / "trials" / digest
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "data").exists():
        os.symlink(run.data.resolve(), folder / "data", target_is_directory=True)
    return folder


def _parent(run: Run, study: Study) -> tracking.Tracked | None:
    """The study's run on the server: the one that was begun before, where there is one."""
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
    best = study.best()
    if best is None:
        errors = [trial.user_attrs[ERROR] for trial in study.ended() if ERROR in trial.user_attrs]
        raise UserError(f"tune: none of {run.settings.tune.trials} trials came to its end: {(errors or ['-'])[0]}")
    shutil.rmtree(run.tune / "trials", ignore_errors=True)
    text = settings.to_toml({run.settings.run.tier: dict(best.params)})
    unfinished = run.tune / "best.toml.unfinished"
    report.write(run, study)
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, run.tune / "best.toml")
