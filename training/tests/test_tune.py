"""The search: finds the best settings, loses nothing to a kill, ends hopeless trials, and logs nested runs."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install 'labelstream-train[tune]'")

from labelstream_train import settings, tiers
from labelstream_train.errors import Stopped, UserError
from labelstream_train.run import Run
from labelstream_train.tune.stage import tune

from . import tiny_base
from .mlflow_server import MlflowServer

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "dropout": {"low": 0.0, "high": 0.5},
    "batch_items": {"choices": [32, 64]},
}


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tiers.MODULES, "fast", "tests.stub_tier")


def make_run(out: Path, trials: int = 8, tracking: str | None = None, **values: object) -> Run:
    given = {
        "run": {"tier": "fast", "tracking": tracking, "experiment": out.parent.name},
        "tune": {"trials": trials, "space": SPACE} | values,
    }
    tiny_base.parts().write(out / "data")
    return Run(settings.check(given), out)


def trials(run: Run) -> list:
    storage = f"sqlite:///{run.tune / 'study.db'}"
    return optuna.load_study(study_name="labelstream", storage=storage).get_trials()


def state_names(run: Run) -> list[str]:
    return [trial.state.name for trial in trials(run)]


def test_finds_better_settings_that_train_takes(tmp_path: Path) -> None:
    run = make_run(tmp_path, trials=18, pruner="none")
    tune(run)
    report = json.loads((run.tune / "report.json").read_text())
    figures = [trial["figure"] for trial in report["trials"]]
    assert len(figures) == 18
    assert report["best"]["figure"] == max(figures) > 0.85
    assert max(figures[5:]) > max(figures[:5]), "learns from its trials"
    best = settings.check(settings.merge(run.settings.dump(), settings.read(run.tune / "best.toml")))
    assert best.fast.learning_rate == report["best"]["values"]["learning_rate"]
    assert report["importances"]["batch_items"] < 0.2 < sum(report["importances"].values())
    assert "Search for better settings" in (run.tune / "report.html").read_text()
    assert not (run.tune / "trials").exists()


def test_the_same_seed_searches_the_same_and_another_one_not(tmp_path: Path) -> None:
    found = []
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        run = make_run(tmp_path / name, trials=4)
        run = replace(
            run, settings=run.settings.model_copy(update={"run": run.settings.run.model_copy(update={"seed": seed})})
        )
        tune(run)
        found.append([trial.params for trial in trials(run)])
    assert found[0] == found[1] != found[2]


def test_hopeless_trials_are_ended_early(tmp_path: Path) -> None:
    run = make_run(tmp_path, trials=12, startup_trials=3)
    tune(run)
    report = json.loads((run.tune / "report.json").read_text())
    pruned = [trial for trial in report["trials"] if trial["state"] == "pruned"]
    assert pruned and all(trial["steps"] < 4 for trial in pruned)
    best = max(report["trials"], key=lambda trial: trial["figure"])
    assert best["state"] == "completed"


@pytest.mark.parametrize("pruner, figure", [("hyperband", "quality"), ("median", "nll")])
def test_other_pruners_and_figures(tmp_path: Path, pruner: str, figure: str) -> None:
    run = make_run(tmp_path, trials=12, pruner=pruner, figure=figure, startup_trials=3)
    tune(run)
    report = json.loads((run.tune / "report.json").read_text())
    done = [trial["figure"] for trial in report["trials"] if trial["state"] == "completed"]
    assert report["best"]["figure"] == (max(done) if figure == "quality" else min(done))


def test_more_trials_go_on_with_the_study_and_no_more_change_nothing(tmp_path: Path) -> None:
    tune(make_run(tmp_path / "whole", trials=6))
    run = make_run(tmp_path / "parts", trials=3)
    tune(run)
    tune(make_run(tmp_path / "parts", trials=6))
    tune(make_run(tmp_path / "parts", trials=6))
    expected = [trial.params for trial in trials(make_run(tmp_path / "whole"))]
    assert [trial.params for trial in trials(run)] == expected


SCRIPT = """
import sys
from pathlib import Path
from labelstream_train import tiers
from labelstream_train.tune.stage import tune
from tests.test_tune import make_run
tiers.MODULES["fast"] = "tests.stub_tier"
tune(make_run(Path(sys.argv[1]), tracking=sys.argv[2] or None))
"""


def start(out: Path, steps: Path, hang: int, tracking: str | None = None) -> subprocess.Popen:
    environment = os.environ | {"STUB_HANG": str(hang), "STUB_STEPS": str(steps), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), tracking or ""],
        env=environment,
        cwd=Path(__file__).parents[1],
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_when_it_hangs(process: subprocess.Popen, out: Path) -> None:
    deadline = time.monotonic() + 180
    while not (out / "tune" / "hangs").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (out / "tune" / "hangs").unlink()


def test_a_killed_search_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    tune(make_run(tmp_path / "whole"))
    whole = trials(make_run(tmp_path / "whole"))
    out, steps = tmp_path / "killed", tmp_path / "steps"
    kill_when_it_hangs(start(out, steps, hang=3), out)
    assert state_names(make_run(out)) == ["COMPLETE", "COMPLETE", "RUNNING"]
    again = start(out, steps, hang=0)
    assert again.wait(timeout=180) == 0, again.stderr.read()
    found = trials(make_run(out))
    assert found[2].state.name == "FAIL"
    assert found[2].params == found[3].params, "the killed trial is repeated"
    ended = [(trial.params, trial.value, trial.intermediate_values) for trial in [*found[:2], *found[3:]]]
    assert ended == [(trial.params, trial.value, trial.intermediate_values) for trial in whole]
    done = steps.read_text().splitlines()
    assert len(done) == len(set(done)), "no step is done twice: the trial went on from its checkpoint"


def test_the_deadline_stops_between_steps_and_the_search_goes_on(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(Stopped, match="after 0 of 8 trials"):
        tune(replace(run, deadline=time.monotonic() - 1))
    tune(run)
    assert len(trials(run)) == 8


def test_a_trial_that_is_stopped_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path)
    asked = iter(range(1000))
    with monkeypatch.context() as patched:  # over at the second trial's third step: 1 + 4 + 1 + 2 looks before
        patched.setattr(Run, "seconds_left", lambda self: 0.0 if next(asked) >= 8 else None)
        with pytest.raises(Stopped, match=r"at step 3.*1 of 8 trials are done"):
            tune(run)
    tune(run)
    assert state_names(run)[:3] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert trials(run)[1].params == trials(run)[2].params
    assert len(trials(run)) == 9


def test_values_that_cannot_be_trained_with_cost_one_trial(tmp_path: Path) -> None:
    run = make_run(tmp_path, trials=6, space={"label_smoothing": {"choices": [0.1, 0.9]}})
    tune(run)
    states = [trial["state"] for trial in json.loads((run.tune / "report.json").read_text())["trials"]]
    assert len(states) == 6 and set(states) == {"completed", "given up"}
    only_bad = make_run(tmp_path / "bad", trials=2, space={"label_smoothing": {"choices": [0.9]}})
    bad = only_bad.settings.fast.model_copy(update={"label_smoothing": 0.9})
    only_bad = replace(only_bad, settings=only_bad.settings.model_copy(update={"fast": bad}))
    with pytest.raises(UserError, match="none of 2 trials came to its end: train with so much"):
        tune(only_bad)


@pytest.mark.parametrize(
    "space, expected",
    [
        ({"learning_rat": {"low": 0.1, "high": 0.2}}, r"tune.space.learning_rat: \[fast\] has no such key"),
        ({"dropout": {"low": 0.1, "high": 1.5}}, "tune.space.dropout: use the settings: fast.dropout"),
        ({"dropout": {"low": 0.5, "high": 0.1}}, "low not above high"),
        ({"dropout": {"low": 0.0, "high": 0.1, "log": True}}, "log needs a low above 0"),
        ({"dropout": {"choices": [0.1], "low": 0.1, "high": 0.2}}, "either choices, or low and high"),
    ],
)
def test_a_wrong_space_is_named(tmp_path: Path, space: dict, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        tune(make_run(tmp_path, space=space))


def test_a_space_survives_the_settings_file(tmp_path: Path) -> None:
    given = make_run(tmp_path).settings
    (tmp_path / "settings.toml").write_text(settings.to_toml(given.dump()))
    assert settings.check(settings.read(tmp_path / "settings.toml")).tune == given.tune


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
    assert capsys.readouterr().err.count("going on without it") == 1
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
    assert "going on without it" in err and "the next command tries again" in err
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
