"""Runs trials in several processes that share one study: `tune.jobs`.

Each process asks for trials until `tune.trials` have ended or are running. The processes share the cores evenly. Which
values they draw depends on which trial ends first, so a search with several jobs is not reproducible.
"""

import multiprocessing
import os
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Lock
from pathlib import Path

from .. import tiers
from ..errors import Stopped, UserError
from ..progress import Progress
from ..run import Run
from ..settings import Settings
from . import trial
from .study import Study

POLL_S = 0.5
LEAVE_S = 30.0
"""A stopping worker is killed after this; the next command repeats its trial."""


@dataclass(frozen=True, slots=True)
class _Search:
    """What every worker process gets: a run, its limits, and `parent`, the run of the search on the tracking server."""

    settings: Settings
    out: Path
    seconds_left: float | None
    parent: str | None
    jobs: int
    modules: dict[str, str]


def search(run: Run, study: Study, parent: str | None, progress: Progress) -> None:
    """Runs until all trials have ended; raises the error of the first worker that failed."""
    run.stop_if_over(f"after {len(study.ended())} of {run.settings.tune.trials} trials")
    context = multiprocessing.get_context("spawn")
    said, asking = context.SimpleQueue(), context.Lock()
    jobs = min(run.settings.tune.jobs, max(1, run.settings.tune.trials - len(study.ended())))
    shared = _Search(run.settings, run.out, run.seconds_left(), parent, jobs, dict(tiers.MODULES))
    workers = [
        context.Process(target=_work, args=(shared, number, said, asking), daemon=True) for number in range(jobs)
    ]
    for worker in workers:
        worker.start()
    try:
        _watch(study, workers, progress)
        errors = []
        while not said.empty():
            errors.append(said.get())
        for kind, text in errors:
            raise (Stopped if kind == "stopped" else UserError)(text)
        if len(study.ended()) < run.settings.tune.trials:
            raise UserError(
                f"tune: a worker process died; {len(study.ended())} trials are done; run the command again to resume"
            )
    finally:
        _stop(workers)


def _watch(study: Study, workers: list[BaseProcess], progress: Progress) -> None:
    shown = len(study.ended())
    while any(worker.is_alive() for worker in workers):
        time.sleep(POLL_S)
        ended = len(study.ended())
        if ended > shown:
            progress.add(ended - shown, study.note())
            shown = ended
    ended = len(study.ended())
    if ended > shown:
        progress.add(ended - shown, study.note())


def _work(shared: _Search, number: int, said: SimpleQueue, asking: Lock) -> None:
    """One worker process. Counts the running trials of others, so that together they do not exceed the limit."""
    tiers.MODULES.update(shared.modules)
    settings = shared.settings
    if not settings.run.threads:
        threads = max(1, (os.cpu_count() or 1) // shared.jobs)
        settings = settings.model_copy(update={"run": settings.run.model_copy(update={"threads": threads})})
    deadline = None if shared.seconds_left is None else time.monotonic() + shared.seconds_left
    run = Run(settings, shared.out, deadline)
    study = Study(run, worker=number)
    try:
        while True:
            run.stop_if_over(f"after {len(study.ended())} of {settings.tune.trials} trials")
            with asking:  # check and ask under one lock, or two workers could both take the last trial
                given = study.ask() if study.under_way() < settings.tune.trials else None
            if given is None:
                return
            trial.train(run, study, shared.parent, given)
    except Stopped as stop:
        said.put(("stopped", str(stop)))
    except UserError as error:
        said.put(("error", str(error)))


def _stop(workers: list[BaseProcess]) -> None:
    for worker in workers:
        if worker.is_alive():
            worker.terminate()
    for worker in workers:
        worker.join(LEAVE_S)
        if worker.is_alive():
            worker.kill()
