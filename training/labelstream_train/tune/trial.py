"""One trial: trains the tier with the trial's values on each fold, and records the result."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from optuna import Trial, TrialPruned

from ..data.parts import Parts
from ..errors import Stopped, UserError
from ..register.registry import status_of
from ..run import Run
from ..tiers import tier
from . import folds, space, tracking
from .outcome import Outcome
from .study import Study
from .watch import Watch

try:
    import fcntl
except ImportError:  # Windows: no lock, so two equal trials at once would share a folder
    fcntl = None  # type: ignore[assignment]


def train(run: Run, study: Study, parent: str | None, given: tuple[Trial, dict[str, Any]] | None = None) -> None:
    """Runs the trial `given` (None: the next); at the deadline, queues it again and raises `Stopped`."""
    asked, values = given or study.ask()
    folder, lock = _folder(run, values)
    tracked = None
    if parent is not None:
        tracked = tracking.start(run, f"trial {asked.number}", values, parent, may_wait=True)
    status = "FAILED"
    try:
        watches, outcome = _folds(run, folder, values, lambda fold, place: Watch(
            asked, run.settings.tune.figure, place / "reports.jsonl", tracked, fold))  # fmt: skip
        if outcome is not None:
            outcome.save(outcome_path(run, asked.number))
        log_losses = [each.log_loss() for each in watches] if outcome is None else outcome.loss
        study.complete(asked, float(np.mean([each.best() for each in watches])), float(np.mean(log_losses)))
        status = "FINISHED"
    except TrialPruned:
        study.prune(asked)
        status = "KILLED"
    except Stopped as stop:
        status = "KILLED"
        study.repeat(asked)
        raise Stopped(f"{stop}; {len(study.ended())} of {run.settings.tune.trials} trials are done") from None
    except UserError as error:
        study.give_up(asked, str(error))
    except BaseException as error:
        status = status_of(error)
        raise
    finally:
        if tracked is not None:
            tracked.end(status)
        lock.close()
    shutil.rmtree(folder)


def outcome_path(run: Run, number: int) -> Path:
    """The file with a trial's result per text."""
    return run.tune / "outcomes" / f"{number}.npz"


def _folds(run: Run, folder: Path, values: Mapping[str, Any], watch_of: Any) -> tuple[list[Watch], Outcome | None]:
    """Trains on each fold in turn. No outcome if the tier cannot give its logits."""
    parts = run.parts()
    answers = getattr(tier(run.settings.run.tier), "logits", None)
    number = 1 if answers is None else folds.count(parts, run.settings.tune.folds)
    watches, logits, truths = [], [], []
    for fold, cut in enumerate(folds.cut(parts, number)):
        place = folder if number == 1 else folder / f"fold{fold}"
        _data(run, place, cut, is_whole=number == 1)
        watch = watch_of(fold, place)
        watch.read()
        trained = Run(space.changed(run.settings, values), place, run.deadline, watch)
        tier(run.settings.run.tier).train(replace(trained))
        watches.append(watch)
        if answers is not None:
            logits.append(answers(trained, [example.text for example in cut.held_out]))
            truths.append(cut.truth(cut.held_out))
    if not logits:
        return watches, None
    return watches, Outcome.of(np.concatenate(logits), np.concatenate(truths))


def _data(run: Run, place: Path, cut: Parts, is_whole: bool) -> None:
    place.mkdir(parents=True, exist_ok=True)
    if is_whole and not (place / "data").exists():
        os.symlink(run.data.resolve(), place / "data", target_is_directory=True)
    elif not is_whole and not (place / "data" / "parts.json").is_file():
        cut.write(place / "data")


def _folder(run: Run, values: Mapping[str, Any]) -> tuple[Path, IO[bytes]]:
    """The run folder for these values, which a repeated trial finds again; another one while an equal trial uses it.
    The open file is its lock."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
    for number in range(1000):
        folder = run.tune / "trials" / (digest if number == 0 else f"{digest}-{number}")
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("wb")
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder, lock
        except BlockingIOError:
            lock.close()
    raise AssertionError("a thousand trials of the same values at once")
