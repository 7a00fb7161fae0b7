"""Training and tuning as runs of a real MLflow server, through kills and outages."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from labelstream_train import tiers
from labelstream_train.errors import Stopped, UserError
from labelstream_train.tune.stage import tune

from .mlflow_server import MlflowServer
from .stub_search import kill_when_it_hangs, make_run, start, trials

pytestmark = pytest.mark.usefixtures("stubbed_tier")


def test_trials_are_nested_runs_of_a_real_server(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    from mlflow import MlflowClient

    out = tmp_path / "run"
    kill_when_it_hangs(start(out, tmp_path / "steps", 3, mlflow_server.uri), out)
    run = make_run(out, tracking=mlflow_server.uri)
    tune(run)
    client = MlflowClient(tracking_uri=mlflow_server.uri)
    experiment = client.get_experiment_by_name(tmp_path.name)
    found = client.search_runs([experiment.experiment_id])
    parents = [each for each in found if "mlflow.parentRunId" not in each.data.tags]
    assert len(parents) == 1, "the search that goes on logs to the run it began"
    assert parents[0].info.status == "FINISHED"
    children = [each for each in found if each.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    assert len(children) == len(trials(run))
    best = json.loads((run.tune / "report.json").read_text())["best"]
    best_child = next(each for each in children if each.info.run_name == f"trial {best['trial']}")
    assert best_child.data.metrics["quality"] == pytest.approx(best["figure"])
    assert float(best_child.data.params["dropout"]) == best["values"]["dropout"]
    history = client.get_metric_history(best_child.info.run_id, "quality")
    assert [point.step for point in history] == [1, 2, 3, 4]


def test_a_training_is_a_run_too_and_survives_the_loss_of_its_server(
    tmp_path: Path, mlflow_server: MlflowServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    run = make_run(tmp_path / "run", tracking=mlflow_server.uri)
    tiers.train(run)
    client = MlflowClient(tracking_uri=mlflow_server.uri)
    found = client.search_runs([client.get_experiment_by_name(tmp_path.name).experiment_id])
    assert [each.info.run_name for each in found] == ["train fast"]
    assert found[0].data.metrics["nll"] == pytest.approx(2.0 - found[0].data.metrics["quality"])
    assert "fast.learning_rate" in found[0].data.params
    from requests.exceptions import ConnectionError as Unreachable

    def lost(*arguments: object, **named: object) -> None:
        raise Unreachable("gone")

    monkeypatch.setattr(MlflowClient, "log_batch", lambda *_, metrics=(), **__: lost() if metrics else None)
    tiers.train(make_run(tmp_path / "other", tracking=mlflow_server.uri))
    assert capsys.readouterr().err.count("continuing without it") == 1
    with pytest.raises(UserError, match="it does not answer"):
        tiers.train(make_run(tmp_path / "none", tracking="http://127.0.0.1:9"))


def test_what_a_server_missed_is_sent_when_it_is_back(
    tmp_path: Path, mlflow_server: MlflowServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training is done and is not done again; its run on the server is completed by the next command."""
    from mlflow import MlflowClient
    from requests.exceptions import ConnectionError as Unreachable

    from labelstream_train.tune import tracking

    def lost(*_: object, **__: object) -> None:
        raise Unreachable("gone")

    run = make_run(tmp_path / "run", tracking=mlflow_server.uri)
    with monkeypatch.context() as patched:
        real = MlflowClient.log_batch
        patched.setattr(MlflowClient, "log_batch", lambda *a, metrics=(), **k: lost() if metrics else real(*a, **k))
        patched.setattr(MlflowClient, "set_terminated", lost)
        tiers.train(run)
        tracking.complete(run)
    err = capsys.readouterr().err
    assert "continuing without it" in err and "the next command will try again" in err
    client = MlflowClient(tracking_uri=mlflow_server.uri)
    place = [client.get_experiment_by_name(tmp_path.name).experiment_id]
    (missing,) = client.search_runs(place)
    assert (missing.info.status, missing.data.metrics) == ("RUNNING", {})
    for _ in range(2):
        tracking.complete(run)
        (whole,) = client.search_runs(place)
        assert whole.info.status == "FINISHED"
        assert [point.step for point in client.get_metric_history(whole.info.run_id, "quality")] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Stopped("over"), "KILLED"),
        (KeyboardInterrupt(), "KILLED"),
        (UserError("x"), "FAILED"),
        (MemoryError(), "FAILED"),
    ],
)
def test_a_training_that_ends_early_is_closed_and_gone_on_with(
    tmp_path: Path, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: str
) -> None:
    from mlflow import MlflowClient

    from . import stub_tier

    run = make_run(tmp_path / "run", tracking=mlflow_server.uri)
    place = replace(run, report=lambda step, figures: (_ for _ in ()).throw(error) if step == 3 else None)
    with pytest.raises(type(error)):
        tiers.train(place)
    client = MlflowClient(tracking_uri=mlflow_server.uri)
    experiment = [client.get_experiment_by_name(tmp_path.name).experiment_id]
    assert [each.info.status for each in client.search_runs(experiment)] == [status]
    tiers.train(run)
    (found,) = client.search_runs(experiment)
    assert found.info.status == "FINISHED", "one training is one run, however often it was stopped"
    assert found.data.metrics["quality"] == pytest.approx(stub_tier.quality(run))


def test_a_trial_that_was_killed_is_closed_by_the_next_command(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    from mlflow import MlflowClient

    out = tmp_path / "run"
    kill_when_it_hangs(start(out, tmp_path / "steps", 2, mlflow_server.uri), out)
    client = MlflowClient(tracking_uri=mlflow_server.uri)
    experiment = [client.get_experiment_by_name(tmp_path.name).experiment_id]
    assert [each.info.status for each in client.search_runs(experiment)].count("RUNNING") == 2, "the search and a trial"
    tune(make_run(out, tracking=mlflow_server.uri))
    found = {each.info.run_name: each.info.status for each in client.search_runs(experiment)}
    assert found["trial 1"] == "KILLED" and "RUNNING" not in found.values()
