"""Fine-tuning a tiny random encoder: it learns, stops and goes on exactly, and its ONNX file says the same."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from labelstream_train import atomic_file, settings
from labelstream_train.encoder import stage
from labelstream_train.errors import Stopped, UserError
from labelstream_train.package.scorer import Scorer
from labelstream_train.package.settings import ENCODER_TOKENS_MAX
from labelstream_train.run import Run

from . import tiny_base

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_base.write_base(tmp_path_factory.mktemp("base")))


def make_run(out: Path, base: str, is_multi_label: bool = False, seed: int = 0, **values: object) -> Run:
    given = tiny_base.write_settings(base=base, **values) | {"run": {"seed": seed, "threads": 1}}
    tiny_base.parts(is_multi_label).write(out / "data")
    return Run(settings.check(given), out)


def weights(run: Run) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(run.train / "best.safetensors")


def assert_same(left: Run, right: Run) -> None:
    one, other = weights(left), weights(right)
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_learns_and_writes_what_torch_computes(tmp_path: Path, base: str, is_multi_label: bool) -> None:
    run = make_run(tmp_path, base, is_multi_label, epochs=25 if is_multi_label else 6, label_smoothing=0.0)
    stage.train(run)
    summary = json.loads((run.train / "train.json").read_text())
    assert summary["figures"]["held_out_mean_average_precision" if is_multi_label else "held_out_accuracy"] > 0.95
    texts = [example.text for example in run.parts().test] + ["never seen words", "", "card " * 300]
    found = stage.logits(run, texts)
    for storage, tolerance in (("fp32", 1e-4), ("int8", 0.2)):
        stage.write_model(run, tmp_path / storage, storage)
        scorer = Scorer(tmp_path / storage, {"tokens_max": ENCODER_TOKENS_MAX})
        assert tuple(scorer.labels) == run.parts().labels
        np.testing.assert_allclose(scorer.logits(texts), found, atol=tolerance)
    problem = json.loads((tmp_path / "fp32" / "config.json").read_text())["problem_type"]
    assert problem == ("multi_label_classification" if is_multi_label else "single_label_classification")


def stop_after_steps(run: Run, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains until the deadline is found over at the given step."""
    seen = iter(range(10_000))
    with monkeypatch.context() as patched:
        patched.setattr(Run, "seconds_left", lambda self: 0.0 if next(seen) >= steps else None)
        with pytest.raises(Stopped, match="in epoch"):
            stage.train(run)


@pytest.mark.parametrize("values", [{}, {"r_drop": 1.0, "contrastive_epochs": 1, "average_decay": 0.0}])
def test_a_stopped_training_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, base: str, values: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped = (make_run(tmp_path / name, base, **values) for name in ("straight", "stopped"))
    stage.train(straight)
    for steps in (5, 13):  # within the first epoch, and then within another one
        stop_after_steps(stopped, steps, monkeypatch)
        assert not (stopped.train / "train.json").exists()
    stage.train(stopped)
    assert_same(straight, stopped)


@pytest.mark.parametrize("place", ["best.safetensors", "checkpoint.pt", "history.jsonl"])
def test_a_training_killed_between_two_files_ends_with_the_same_weights(
    tmp_path: Path, base: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, killed = (make_run(tmp_path / name, base) for name in ("straight", "killed"))
    stage.train(straight)
    written, replace = iter(range(100)), atomic_file.replace

    def kill(path: Path, write: Callable[[Path], object]) -> None:
        if path.name == place and next(written) == 1:  # in the second epoch, before the file appears
            write(path.with_name(path.name + atomic_file.SUFFIX))
            raise KeyboardInterrupt
        replace(path, write)

    with monkeypatch.context() as patched:
        patched.setattr(atomic_file, "replace", kill)
        with pytest.raises(KeyboardInterrupt):
            stage.train(killed)
    stage.train(killed)
    assert_same(straight, killed)
    shown = [
        [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]
        for lines in ((run.train / "history.jsonl").read_text().splitlines() for run in (straight, killed))
    ]
    assert shown[0] == shown[1]


def test_the_deadline_stops_between_steps(tmp_path: Path, base: str) -> None:
    run = make_run(tmp_path, base)
    with pytest.raises(Stopped):
        stage.train(Run(run.settings, run.out, time.monotonic() - 1))
    stage.train(run)


def test_other_settings_do_not_go_on_with_a_training(tmp_path: Path, base: str) -> None:
    stage.train(make_run(tmp_path, base, epochs=1))
    stage.train(make_run(tmp_path, base, epochs=1))  # the same: nothing to do
    with pytest.raises(UserError, match=r"encoder.epochs \(1 -> 2\)"):
        stage.train(make_run(tmp_path, base, epochs=2))


def test_reports_each_epoch_and_ends_when_patience_does(tmp_path: Path, base: str) -> None:
    seen: list[tuple[int, dict]] = []
    run = make_run(tmp_path, base, epochs=60, patience=2)
    stage.train(Run(run.settings, run.out, None, lambda epoch, figures: seen.append((epoch, dict(figures)))))
    assert [epoch for epoch, _ in seen] == list(range(1, len(seen) + 1))
    assert len(seen) < 60
    assert {"quality", "nll", "loss"} == set(seen[0][1])
    best = max(range(len(seen)), key=lambda place: seen[place][1]["quality"])
    assert len(seen) == best + 1 + 2


def test_words_that_do_not_occur_keep_the_base_models_vectors(tmp_path: Path, base: str) -> None:
    from safetensors.numpy import load_file

    run = make_run(tmp_path, base)
    stage.train(run)
    before = load_file(Path(base) / "model.safetensors")["embeddings.word_embeddings.weight"]
    after = weights(run)["embeddings.word_embeddings.weight"]
    changed = [
        word
        for place, word in enumerate([*tiny_base.SPECIAL, *tiny_base.WORDS])
        if not np.array_equal(before[place], after[place])
    ]
    assert set(changed) >= {"card", "money", "pin"}
    assert not {"never", "seen", "words", "[MASK]"} & set(changed)


def test_bfloat16_changes_the_weights_but_not_what_is_learnt(tmp_path: Path, base: str) -> None:
    exact, short = (make_run(tmp_path / name, base, epochs=6, bfloat16=name) for name in ("off", "on"))
    for run in (exact, short):
        stage.train(run)
        assert json.loads((run.train / "train.json").read_text())["figures"]["held_out_accuracy"] > 0.95
    with pytest.raises(AssertionError):
        assert_same(exact, short)
