"""Logs training and tuning as runs of an MLflow server: parameters at the start, metrics at each report, and the end.

If the server does not answer at the start, that is an error. If it stops answering later, that is one warning: what it
missed stays in OUT/tracking and is sent at the end, or by the next command on the same folder. A run that a kill left
open is resumed.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..register.registry import connect, status_of, talking_to
from ..run import Run
from .journal import Journal, Report

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"
AT_ONCE = 100
"""What one request of MLflow's REST API may hold: its limit for parameters in a batch, below that for figures."""


@dataclass(slots=True)
class Tracked:
    """One run on the server; `run_id` is None until the server knows it."""

    client: "MlflowClient"
    run_id: str | None
    journal: Journal
    experiment: str
    is_lost: bool = field(default=False)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Logs metrics of a step (an epoch)."""
        report = Report(step, {name: float(value) for name, value in figures.items()}, int(time.time() * 1000))
        self.journal.report(report)
        if not self.is_lost:
            self._send(lambda: _log(self.client, str(self.run_id), [report]), "continuing without it")

    def end(self, status: str) -> None:
        """Ends the run: FINISHED, FAILED or KILLED. After an outage, tries once more to send everything missed."""
        self.journal.end(status)
        self._send(lambda: _send_rest(self.client, self.journal, self.experiment, self.is_lost),
                   "run the same command again to send what is missing")  # fmt: skip

    def _send(self, call: Callable[[], object], then: str) -> None:
        try:
            with talking_to(self.client.tracking_uri, "log a run"):
                call()
        except UserError as error:
            self.is_lost = True
            print(f"warning: failed to {error}; {then}", file=sys.stderr)


def start(
    run: Run, name: str, params: Mapping[str, Any], parent: str | None = None, may_wait: bool = False
) -> Tracked | None:
    """Opens a run on the server of the settings: the one that an earlier command left open, else a new one. None
    without a server. With `may_wait`, an unreachable server gets the run later."""
    uri, journal = run.settings.run.tracking, Journal(run.out / "tracking" / f"{name.replace('/', '-')}.jsonl")
    if uri is None:
        return None
    client, basis = connect(uri), _digest({"params": params, "parent": parent})
    head = journal.head
    if head and (head["uri"], head["basis"]) == (uri, basis) and journal.run_id and journal.status != "FINISHED":
        found = go_on(run, journal.run_id, journal)
        if found is not None:
            return found
    tags = {NAME_TAG: name, "labelstream.tier": run.settings.run.tier} | ({PARENT_TAG: parent} if parent else {})
    journal.begin(uri, basis, name, params, tags)
    tracked = Tracked(client, None, journal, run.settings.run.experiment)
    try:
        with talking_to(uri, f"start the run {name}"):
            tracked.run_id = _make(client, journal, run.settings.run.experiment)
    except UserError:
        if not may_wait:
            journal.path.unlink()
            raise
        tracked.is_lost = True
    return tracked


def go_on(run: Run, run_id: str, journal: Journal) -> Tracked | None:
    """Resumes an earlier run; None without a server, or if the server does not know the run."""
    from mlflow.exceptions import MlflowException

    uri = run.settings.run.tracking
    if uri is None:
        return None
    client = connect(uri)
    try:
        client.update_run(run_id, status="RUNNING")
    except MlflowException:
        return None
    return Tracked(client, run_id, journal, run.settings.run.experiment)


def complete(run: Run) -> None:
    """Sends what the server missed during an outage; prints a warning if it still does not answer."""
    uri = run.settings.run.tracking
    for path in sorted((run.out / "tracking").glob("*.jsonl")) if uri else ():
        journal = Journal(path)
        if journal.head is None or journal.head["uri"] != uri or journal.status is None or journal.is_whole:
            continue
        try:
            with talking_to(str(uri), f"complete the run {path.stem}"):
                _send_rest(connect(str(uri)), journal, run.settings.run.experiment, is_lost=True)
        except UserError as error:
            print(f"warning: failed to {error}; the next command will try again", file=sys.stderr)
            return


def close_left_open(run: Run, prefix: str) -> None:
    """Marks the runs with this prefix that a kill left open as killed, here and on the server."""
    for path in (run.out / "tracking").glob(f"{prefix}*.jsonl"):
        journal = Journal(path)
        if journal.status is None:
            journal.end("KILLED")
    complete(run)


@contextmanager
def following(run: Run, name: str) -> Iterator[Run]:
    """`run` whose reports are also logged to the server."""
    tier = run.settings.run.tier
    tracked = start(run, name, {f"{tier}.{key}": value for key, value in run.settings.dump()[tier].items()})
    if tracked is None:
        yield run
        return

    def report(step: int, figures: Mapping[str, float]) -> None:
        tracked.log(step, figures)
        run.report(step, figures)

    try:
        yield replace(run, report=report)
    except BaseException as error:
        tracked.end(status_of(error))
        raise
    tracked.end("FINISHED")


def _make(client: "MlflowClient", journal: Journal, experiment: str) -> str:
    """Creates the run of a journal on the server, with its parameters."""
    from mlflow.entities import Param

    head = journal.head or {}
    found = client.get_experiment_by_name(experiment)
    place = found.experiment_id if found is not None else client.create_experiment(experiment)
    run_id = client.create_run(place, tags=head["tags"]).info.run_id
    journal.made(run_id)
    params = [Param(key, value) for key, value in head["params"].items()]
    for at in range(0, len(params), AT_ONCE):
        client.log_batch(run_id, params=params[at : at + AT_ONCE])
    return run_id


def _send_rest(client: "MlflowClient", journal: Journal, experiment: str, is_lost: bool) -> None:
    """Sends what is missing, and the end."""
    run_id = journal.run_id or _make(client, journal, experiment)
    if is_lost:
        _log(client, run_id, journal.reports())
    client.set_terminated(run_id, journal.status)
    journal.arrived()


def _log(client: "MlflowClient", run_id: str, reports: list[Report]) -> None:
    from mlflow.entities import Metric

    metrics = [Metric(name, value, each.time_ms, each.step) for each in reports for name, value in each.figures.items()]
    for at in range(0, len(metrics), AT_ONCE):
        client.log_batch(run_id, metrics=metrics[at : at + AT_ONCE])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
