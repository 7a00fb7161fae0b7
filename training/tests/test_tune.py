"""The search: finds the best settings, loses nothing to a kill, ends hopeless trials, and logs nested runs."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install 'labelstream-train[tune]'")

from labelstream_train import settings
from labelstream_train.errors import Stopped, UserError
from labelstream_train.run import Run
from labelstream_train.tune.stage import tune

from .stub_search import kill_when_it_hangs, make_run, start, state_names, trials

pytestmark = pytest.mark.usefixtures("stubbed_tier")


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
    assert "Hyperparameter search" in (run.tune / "report.html").read_text()
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
    with pytest.raises(UserError, match="none of 2 trials completed: train with so much"):
        tune(only_bad)


@pytest.mark.parametrize(
    "space, expected",
    [
        ({"learning_rat": {"low": 0.1, "high": 0.2}}, r"tune.space.learning_rat: \[fast\] has no such key"),
        ({"dropout": {"low": 0.1, "high": 1.5}}, "tune.space.dropout: use the settings: fast.dropout"),
        ({"dropout": {"low": 0.5, "high": 0.1}}, "low <= high"),
        ({"dropout": {"low": 0.0, "high": 0.1, "log": True}}, "log needs low > 0"),
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
