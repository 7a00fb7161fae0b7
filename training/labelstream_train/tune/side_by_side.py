"""Trials in several processes that share one study: `tune.jobs`.

Each asks for a trial while fewer than `tune.trials` ended or are under way. The cores are shared out among them. What
they draw depends on which trial ends first, so a search with several jobs is not the same twice.
"""

import multiprocessing
import os
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess

from .. import tiers
from ..errors import Stopped, UserError
from ..progress import Progress
from ..run import Run
from . import trial
from .study import Study

POLL_S = 0.5
LEAVE_S = 30.0
"""A worker that is told to stop is killed after this; its trial is repeated by the next command."""


def search(run: Run, study: Study, parent: str | None, progress: Progress) -> None:
    """Until all trials ended; raises what the first worker that failed raised."""
    run.stop_if_over(f"after {len(study.ended())} of {run.settings.tune.trials} trials")
    context = multiprocessing.get_context("spawn")
    said, asking = context.SimpleQueue(), context.Lock()
    jobs = min(run.settings.tune.jobs, max(1, run.settings.tune.trials - len(study.ended())))
    sent = (run.settings, run.out, run.seconds_left(), parent, jobs, dict(tiers.MODULES))
    workers = [context.Process(target=_work, args=(*sent, number, said, asking), daemon=True) for number in range(jobs)]
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
                f"tune: a worker ended early, {len(study.ended())} trials are done; the same command goes on"
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


def _work(settings, out, seconds_left, parent, jobs, modules, number, said, asking) -> None:  # type: ignore[no-untyped-def]
    """One process. Trials that others have under way count, so that together there are no more than wanted."""
    tiers.MODULES.update(modules)
    if not settings.run.threads:
        threads = max(1, (os.cpu_count() or 1) // jobs)
        settings = settings.model_copy(update={"run": settings.run.model_copy(update={"threads": threads})})
    deadline = None if seconds_left is None else time.monotonic() + seconds_left
    run = replace(Run(settings, out), deadline=deadline)
    study = Study(run, worker=number)
    try:
        while True:
            run.stop_if_over(f"after {len(study.ended())} of {settings.tune.trials} trials")
            with asking:  # looked and asked at once, or two workers would both take the last trial
                given = study.ask() if study.under_way() < settings.tune.trials else None
            if given is None:
                return
            trial.train(run, study, parent, given)
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
