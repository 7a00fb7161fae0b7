"""The fast tier as a whole: it learns what is planted, stops and goes on exactly, and its files say the same."""

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelstream_train import settings
from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts
from labelstream_train.errors import Stopped, UserError
from labelstream_train.fast import stage
from labelstream_train.package.scorer import Scorer
from labelstream_train.run import Run

FILLERS = "the a my our please about again today with for some more quite very now then here there still just".split()
REAL = Path(__file__).resolve().parents[3] / "shared" / "datasets" / "clinc150"


def planted(count: int = 500, is_multi_label: bool = False, seed: int = 0) -> Parts:
    """The order of two words is the label, so words alone do not tell; or which words are there."""
    dice = random.Random(seed)
    orders = {"after": "found lost", "before": "lost found"}
    made = []
    for _ in range(count):
        fillers = [dice.choice(FILLERS) for _ in range(dice.randint(3, 9))]
        if is_multi_label:
            labels = tuple(sorted(label for label in ("card", "money", "pin") if dice.random() < 0.4))
            middle = " ".join(labels)
        else:
            labels = (dice.choice(sorted(orders)),)
            middle = orders[labels[0]]
        fillers.insert(dice.randrange(len(fillers)), middle)
        made.append(Example(" ".join(fillers), labels))
    cut = count // 5
    names = ("card", "money", "pin") if is_multi_label else tuple(sorted(orders))
    facts = {"fingerprint": f"{seed} {count}"}
    return Parts(
        names, is_multi_label, tuple(made[2 * cut :]), tuple(made[:cut]), tuple(made[cut : 2 * cut]), (), facts
    )


def make_run(out: Path, parts: Parts, seed: int = 0, deadline: float | None = None, **fast: Any) -> Run:
    """Small and quick; words from train."""
    small = {
        "steps_min": 0,
        "base": "none",
        "words_max": 300,
        "dimensions": 16,
        "epochs": 12,
        "batch_items": 32,
        "learning_rate": 0.02,
        "vector_learning_rate": 0.02,
        "label_smoothing": 0.0,
        "word_dropout": 0.0,
        "dropout": 0.2,
    }
    parts.write(out / "data")
    given = {"run": {"tier": "fast", "seed": seed, "threads": 1}, "fast": small | fast}
    return Run(settings.check(given), out, deadline)


def quality(run: Run, folder: Path) -> float:
    """Share of the test texts with exactly the true labels, by the exported files."""
    parts = run.parts()
    logits = Scorer(folder, threads=1, manifest={}).logits([example.text for example in parts.test])
    truth = parts.truth(parts.test)
    if parts.is_multi_label:
        return float(((logits > 0) == (truth > 0)).all(axis=1).mean())
    return float((logits.argmax(axis=1) == truth).mean())


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_learns_and_writes_what_numpy_computes(tmp_path: Path, is_multi_label: bool) -> None:
    run = make_run(tmp_path, planted(is_multi_label=is_multi_label), class_weights="balanced")
    stage.train(run)
    texts = [example.text for example in run.parts().test] + ["", "found", "Ünknöwn 😀 words " * 200]
    ours = stage.logits(run, texts)
    for storage, tolerance in (("fp32", 1e-5), ("int8", 0.2)):
        stage.write_model(run, tmp_path / storage, storage)
        assert quality(run, tmp_path / storage) > 0.93
        theirs = Scorer(tmp_path / storage, {}, threads=1).logits(texts)
        np.testing.assert_allclose(theirs, ours, atol=tolerance, rtol=1e-5)
    config = json.loads((tmp_path / "int8" / "config.json").read_text(encoding="utf-8"))
    assert config["problem_type"].startswith("multi" if is_multi_label else "single")
    summary = json.loads((run.train / "train.json").read_text(encoding="utf-8"))
    assert summary["tier"] == "fast" and summary["texts"] == {"train": 300, "without_labels": 0, "held_out": 100}


def test_words_alone_cannot_tell_the_planted_order(tmp_path: Path) -> None:
    run = make_run(tmp_path, planted(), row_words_max=1)
    stage.train(run)
    stage.write_model(run, tmp_path / "fp32", "fp32")
    assert quality(run, tmp_path / "fp32") < 0.65


def test_the_same_seed_gives_the_same_bits_however_often_it_stops(tmp_path: Path) -> None:
    whole, other = make_run(tmp_path / "whole", planted()), make_run(tmp_path / "other", planted(), seed=1)
    stage.train(whole)
    stage.train(other)
    parts = make_run(tmp_path / "parts", planted(), deadline=time.monotonic())
    for _ in range(parts.settings.fast.epochs - 1):
        with pytest.raises(Stopped, match="run the same command again"):
            stage.train(parts)
    stage.train(parts)
    for run in (whole, other, parts):
        stage.write_model(run, run.out / "fp32", "fp32")
    bits = [(run.out / "fp32" / "model.onnx").read_bytes() for run in (whole, parts, other)]
    assert bits[0] == bits[1] != bits[2]


def test_other_settings_do_not_go_on_with_a_training(tmp_path: Path) -> None:
    stage.train(make_run(tmp_path, planted(), epochs=1))
    with pytest.raises(UserError, match="fast.epochs"):
        stage.train(make_run(tmp_path, planted(), epochs=2))


def test_a_student_learns_from_a_teacher_what_its_own_texts_lack(tmp_path: Path) -> None:
    teacher = make_run(tmp_path / "teacher", planted(1000))
    stage.train(teacher)
    stage.write_model(teacher, tmp_path / "package", "fp32")
    few = planted(100, seed=2)
    alone = make_run(tmp_path / "alone", few, row_count_min=1)
    further = tmp_path / "further.jsonl"
    lines = [json.dumps({"text": example.text}) + "\n" for example in planted(600, seed=3).train]
    further.write_text("".join(lines), encoding="utf-8")
    taught = make_run(tmp_path / "taught", few, row_count_min=1, invented=2, teacher=str(tmp_path / "package"),
                      unlabelled=str(further))  # fmt: skip
    for run in (alone, taught):
        stage.train(run)
        stage.write_model(run, run.out / "fp32", "fp32")
    hard = planted(1000, seed=9)
    hard.write(alone.data)
    hard.write(taught.data)
    assert quality(taught, taught.out / "fp32") > quality(alone, alone.out / "fp32") + 0.02
    assert json.loads((taught.train / "train.json").read_text(encoding="utf-8"))["texts"]["without_labels"] == 120 + 360
    assert len(list((taught.train / "teachers").glob("*.npy"))) == 1


def test_a_teacher_of_other_labels_is_refused(tmp_path: Path) -> None:
    teacher = make_run(tmp_path / "teacher", planted(is_multi_label=True), epochs=1)
    stage.train(teacher)
    stage.write_model(teacher, tmp_path / "package", "fp32")
    with pytest.raises(UserError, match="its labels differ from those of the data"):
        stage.train(make_run(tmp_path / "student", planted(), teacher=str(tmp_path / "package")))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unlabelled": "x.jsonl"}, "need a fast.teacher"),
        ({"tokens_max": 2000}, "summed exactly"),
        ({"base": "nowhere-to-be-found"}, "neither a folder nor an installed package"),
    ],
)
def test_settings_that_cannot_work_are_said_at_once(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        stage.train(make_run(tmp_path, planted(100), **given))


def test_patience_ends_a_training_that_gains_no_more(tmp_path: Path) -> None:
    run = make_run(tmp_path, planted(), epochs=200, patience=3)
    stage.train(run)
    assert json.loads((run.train / "train.json").read_text(encoding="utf-8"))["epochs"] < 60


def test_few_texts_get_more_epochs(tmp_path: Path) -> None:
    run = make_run(tmp_path, planted(50), epochs=2, steps_min=30)
    stage.train(run)
    assert json.loads((run.train / "train.json").read_text(encoding="utf-8"))["epochs"] == 30, "one step an epoch"


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/datasets/clinc150 is not here: no real texts to learn from")
def test_real_intents(tmp_path: Path) -> None:
    from labelstream_train.data.load import examples, read_rows
    from labelstream_train.data.settings import DataSettings

    labels = ("balance", "bill_balance", "book_flight", "card_declined", "flight_status", "lost_luggage", "pay_bill",
              "pin_change", "report_fraud", "weather")  # fmt: skip
    read = {
        part: tuple(
            each for each in examples(read_rows(REAL / f"{part}.jsonl.gz", DataSettings())) if each.labels[0] in labels
        )
        for part in ("train", "val", "test")
    }
    parts = Parts(labels, False, read["train"], read["val"], read["test"], (), {"fingerprint": "ten of clinc150"})
    run = make_run(tmp_path, parts, words_max=2000, dimensions=32, epochs=6)
    stage.train(run)
    stage.write_model(run, tmp_path / "int8", "int8")
    assert quality(run, tmp_path / "int8") > 0.9
