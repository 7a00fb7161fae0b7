"""What a search is worth: the default first, ties, folds for few texts, an interval of the gain, side by side."""

import hashlib
import json
import sqlite3
import sys
import threading
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

optuna = pytest.importorskip("optuna")

from labelstream_train import settings, tiers
from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts
from labelstream_train.errors import Stopped
from labelstream_train.run import Run
from labelstream_train.tune import folds
from labelstream_train.tune.stage import tune

from .stub_search import SPACE, make_run, trials

pytestmark = pytest.mark.usefixtures("stubbed_tier")


def test_the_settings_as_they_are_are_the_first_trial(tmp_path: Path) -> None:
    run = make_run(tmp_path, trials=3)
    tune(run)
    fast = run.settings.dump()["fast"]
    first = trials(run)[0]
    assert first.user_attrs["default"] == [key for key in SPACE]
    assert first.params == {key: fast[key] for key in SPACE}
    narrow = make_run(tmp_path / "narrow", trials=2, space={"dropout": {"low": 0.31, "high": 0.5}})
    tune(narrow)
    assert trials(narrow)[0].params == {}, "a default outside of the space is tried all the same"
    assert trials(narrow)[0].value == pytest.approx(0.9 - abs(3e-3 - 0.004) * 50 - abs(fast["dropout"] - 0.2))


def test_equal_trials_are_told_apart_by_log_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from . import stub_tier

    def level(run: Run) -> None:
        run.report(1, {"quality": 0.8, "nll": abs(run.settings.fast.dropout - 0.1)})

    monkeypatch.setattr(stub_tier, "train", level)
    run = make_run(tmp_path, trials=6, space={"dropout": {"low": 0.0, "high": 0.5}})
    tune(run)
    best = json.loads((run.tune / "report.json").read_text())["best"]
    closest = min(trials(run), key=lambda trial: abs(trial.params["dropout"] - 0.1))
    assert best["trial"] == closest.number != 0


class Answers:
    """A tier whose answers are right for a share of the texts that its dropout decides."""

    def __init__(self, gain: float):
        self.gain = gain
        self.trained: list[tuple[float, int]] = []

    def train(self, run: Run) -> None:
        self.trained.append((run.settings.fast.dropout, len(run.parts().held_out)))
        run.report(1, {"quality": self.quality(run), "nll": 1.0})

    def quality(self, run: Run) -> float:
        return 0.7 + (self.gain if run.settings.fast.dropout > 0.4 else 0.0)

    def logits(self, run: Run, texts: list[str]) -> np.ndarray:
        parts = run.parts()
        truth = parts.truth(parts.held_out)
        right = np.array([int(hashlib.sha256(text.encode()).hexdigest(), 16) % 1000 for text in texts])
        right = right < 1000 * self.quality(run)
        return np.eye(len(parts.labels))[np.where(right, truth, (truth + 1) % len(parts.labels))]


@pytest.mark.parametrize(("gain", "is_kept"), [(0.2, False), (0.004, True)])
def test_the_default_is_kept_where_no_gain_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], gain: float, is_kept: bool
) -> None:
    """40 held-out texts: each trial is judged on all 300 known texts, five times trained."""
    answers = Answers(gain)
    module = types.SimpleNamespace(train=answers.train, logits=answers.logits)
    monkeypatch.setitem(sys.modules, "tests.answering_tier", module)
    monkeypatch.setitem(tiers.MODULES, "fast", "tests.answering_tier")
    run = make_run(tmp_path, trials=5, space={"dropout": {"low": 0.3, "high": 0.6}}, pruner="none")
    texts = [Example(f"text {number}", ("ab"[number % 2],)) for number in range(320)]
    Parts(("a", "b"), False, tuple(texts[:260]), tuple(texts[260:300]), tuple(texts[300:]), (), {}).write(run.data)
    tune(run)
    assert {size for _, size in answers.trained} == {60} and len(answers.trained) == 25
    report = json.loads((run.tune / "report.json").read_text())
    against = report["against_default"]
    assert against["texts"] == 300 and against["accuracy"]["low"] < against["accuracy"]["value"]
    assert (report["is_default_kept"], against["is_gain"]) == (is_kept, not is_kept)
    best = settings.read(run.tune / "best.toml")["fast"]
    assert best["dropout"] == 0.3 if is_kept else best["dropout"] > 0.4
    said = capsys.readouterr().out
    assert "against the default settings, on 300 texts: accuracy +" in said and "95 % interval" in said
    assert ("No significant gain: the default settings are kept" in said) is is_kept


@pytest.mark.parametrize(("held_out", "by", "count"), [(40, "random", 5), (300, "random", 1), (40, "time", 1)])
def test_folds_are_for_few_held_out_texts(held_out: int, by: str, count: int) -> None:
    texts = tuple(Example(f"text {number}", (str(number % 3),), group=f"g{number % 50}") for number in range(400))
    parts = Parts(("0", "1", "2"), False, texts[held_out:], texts[:held_out], texts[:1], (), {"split": {"by": by}})
    assert folds.count(parts, 0) == count and folds.count(parts, 7) == 7
    found = list(folds.cut(parts, 4))
    judged = sorted(each.text for part in found for each in part.held_out)
    assert judged == sorted(each.text for each in texts), "each text is judged once"
    for part in found:
        assert not {each.group for each in part.train} & {each.group for each in part.held_out}
        assert len(part.train) + len(part.held_out) == 400 and part.test == parts.test


def test_trials_run_side_by_side_in_one_study(tmp_path: Path) -> None:
    run = make_run(tmp_path, trials=7, jobs=3)
    tune(run)
    ended = [trial for trial in trials(run) if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(ended) == 7 and ended[0].user_attrs["default"]
    assert len({json.dumps(trial.params, sort_keys=True) for trial in ended}) == 7, "no worker draws what another drew"
    tune(make_run(tmp_path, trials=9, jobs=2))
    assert len([trial for trial in trials(run) if trial.state.name in ("COMPLETE", "PRUNED")]) == 9
    with pytest.raises(Stopped, match="after 9 of 20 trials"):
        tune(replace(make_run(tmp_path, trials=20, jobs=2), deadline=time.monotonic() - 1))


def test_a_study_that_another_process_has_locked_is_waited_for(tmp_path: Path) -> None:
    run = make_run(tmp_path, trials=1)
    tune(run)
    other = sqlite3.connect(run.out / "tune" / "study.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    unlock = threading.Timer(7, lambda: other.execute("ROLLBACK"))  # longer than the 5 s that sqlite waits by itself
    unlock.start()
    tune(make_run(tmp_path, trials=2))
    unlock.join()
    assert len([trial for trial in trials(run) if trial.state.name == "COMPLETE"]) == 2
