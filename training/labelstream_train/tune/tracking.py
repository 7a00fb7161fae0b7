"""Training and tuning as runs of an MLflow server: parameters at the start, figures at each report.

A server that does not answer at the start is an error; one that stops answering later costs the figures and one
warning, not the training.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import Stopped, UserError
from ..register.registry import connect, talking_to
from ..run import Run

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT_TAG = "mlflow.parentRunId"
NAME_TAG = "mlflow.runName"
PARAMS_AT_ONCE = 100
"""What one request of MLflow's REST API may hold (its limit for parameters in a batch)."""


@dataclass(slots=True)
class Tracked:
    """One run on the server."""

    client: "MlflowClient"
    uri: str
    run_id: str
    is_lost: bool = field(default=False)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Adds figures at a step (an epoch)."""
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now_ms, step) for name, value in figures.items()]
        self._send(lambda: self.client.log_batch(self.run_id, metrics=metrics))

    def end(self, status: str) -> None:
        """FINISHED, FAILED or KILLED."""
        self._send(lambda: self.client.set_terminated(self.run_id, status))

    def _send(self, call: Callable[[], object]) -> None:
        if self.is_lost:
            return
        try:
            with talking_to(self.uri, "log a run"):
                call()
        except UserError as error:
            self.is_lost = True
            print(f"warning: failed to {error}; going on without it", file=sys.stderr)


def start(run: Run, name: str, params: Mapping[str, Any], parent: str | None = None) -> Tracked | None:
    """A new run on the server that the settings name; None where they name none."""
    uri = run.settings.run.tracking
    if uri is None:
        return None
    from mlflow.entities import Param

    client = connect(uri)
    with talking_to(uri, f"start the run {name}"):
        tags = {NAME_TAG: name, "labelstream.tier": run.settings.run.tier} | ({PARENT_TAG: parent} if parent else {})
        started = client.create_run(_experiment(client, run.settings.run.experiment), tags=tags)
        found = [Param(key, str(value)) for key, value in params.items()]
        for at in range(0, len(found), PARAMS_AT_ONCE):
            client.log_batch(started.info.run_id, params=found[at : at + PARAMS_AT_ONCE])
    return Tracked(client, uri, started.info.run_id)


def go_on(run: Run, run_id: str) -> Tracked | None:
    """A run that was started before; None where the settings name no server, or the server does not know it."""
    from mlflow.exceptions import MlflowException

    uri = run.settings.run.tracking
    if uri is None:
        return None
    client = connect(uri)
    try:
        client.update_run(run_id, status="RUNNING")
    except MlflowException:
        return None
    return Tracked(client, uri, run_id)


@contextmanager
def following(run: Run, name: str) -> Iterator[Run]:
    """`run` with reports that are logged, too: what the stage `train` trains with."""
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
        tracked.end("KILLED" if isinstance(error, Stopped | KeyboardInterrupt) else "FAILED")
        raise
    tracked.end("FINISHED")


def _experiment(client: "MlflowClient", name: str) -> str:
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found is not None else client.create_experiment(name)
