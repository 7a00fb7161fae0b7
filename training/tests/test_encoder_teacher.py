"""Learning from earlier models: their answers are computed once, put into our order of labels, and followed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from labelstream_train.encoder import stage
from labelstream_train.errors import UserError
from labelstream_train.learning import teacher
from labelstream_train.package.scorer import Scorer
from labelstream_train.run import Run

from . import tiny_base
from .test_encoder import assert_same, make_run

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_base.write_base(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, base: str) -> Run:
    """A trained run with its exact model in OUT/fp32, as `export` leaves it."""
    run = make_run(tmp_path_factory.mktemp("teacher"), base, epochs=6)
    stage.train(run)
    stage.write_model(run, run.out / "fp32", "fp32")
    return run


def test_answers_are_computed_once_and_kept(tmp_path: Path, taught: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, labels = ["lost card my", "pin wrong", "is the"], taught.parts().labels
    found = teacher.teacher_logits([str(taught.out)], labels, texts, tmp_path)
    np.testing.assert_allclose(found[0], stage.logits(taught, texts), atol=1e-4)
    assert len(list(tmp_path.glob("*.npy"))) == 1
    monkeypatch.setattr(Scorer, "logits", lambda *_: pytest.fail("computed twice"))
    np.testing.assert_array_equal(teacher.teacher_logits([str(taught.out)], labels, texts, tmp_path), found)


def test_columns_are_in_our_order_of_labels(tmp_path: Path, taught: Run) -> None:
    labels = taught.parts().labels
    straight = teacher.teacher_logits([str(taught.out)], labels, ["lost card"], tmp_path)
    turned = teacher.teacher_logits([str(taught.out)], labels[::-1], ["lost card"], tmp_path)
    np.testing.assert_array_equal(turned, straight[:, :, ::-1])


def test_soft_labels_are_the_mean_of_the_teachers() -> None:
    logits = np.log(np.array([[[0.5, 0.5]], [[0.9, 0.1]]]))
    np.testing.assert_allclose(teacher.soft_labels(logits, 1.0, False), [[0.7, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(teacher.soft_labels(logits * 2, 2.0, False), [[0.7, 0.3]], rtol=1e-6)
    odds = np.log(np.array([[[0.25 / 0.75, 9.0]], [[0.75 / 0.25, 9.0]]]))
    np.testing.assert_allclose(teacher.soft_labels(odds, 1.0, True), [[0.5, 0.9]], rtol=1e-6)


def test_a_student_follows_its_teachers_more_than_its_labels(tmp_path: Path, base: str, taught: Run) -> None:
    """The student's data calls "card" money and the other way round; its teachers do not."""

    def student(name: str, **values: object) -> Run:
        run = make_run(tmp_path / name, base, epochs=6, **values)
        rows = run.parts()
        other = {"card": "money", "money": "card", "pin": "pin"}
        wrong = tuple(type(each)(each.text, (other[each.labels[0]],)) for each in rows.train)
        type(rows)(rows.labels, False, wrong, rows.held_out, rows.test, (), {}).write(run.data)
        stage.train(run)
        return run

    def accuracy(run: Run) -> float:
        test = run.parts().test
        answers = stage.logits(run, [each.text for each in test]).argmax(axis=1)
        return float((answers == run.parts().truth(test)).mean())

    alone = student("alone")
    led = student("led", teachers=[str(taught.out)] * 2, distil_weight=0.9)
    assert accuracy(alone) < 0.5 < 0.8 < accuracy(led)
    assert len(list((led.train / "teachers").glob("*.npy"))) == 1
    again = student("again", teachers=[str(taught.out)] * 2, distil_weight=0.9)
    assert_same(led, again)


def test_wrong_teachers_are_named(tmp_path: Path, base: str, taught: Run) -> None:
    with pytest.raises(UserError, match=r"expected a model package or an exported run, found no model\.onnx"):
        stage.train(make_run(tmp_path / "none", base, teachers=[str(tmp_path)]))
    other = tmp_path / "other"
    shutil.copytree(taught.out / "fp32", other)
    config = json.loads((other / "config.json").read_text())
    config["id2label"]["0"] = "cheque"
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"its labels differ from those of the data: \['card', 'cheque'\]"):
        stage.train(make_run(tmp_path / "student", base, teachers=[str(other)]))


def test_contrastive_training_needs_one_label_a_text(tmp_path: Path, base: str) -> None:
    with pytest.raises(UserError, match="contrastive training needs exactly one label per text"):
        stage.train(make_run(tmp_path, base, True, contrastive_epochs=1))


def test_contrastive_training_brings_texts_of_a_label_together(tmp_path: Path, base: str) -> None:
    run = make_run(tmp_path / "warm", base, contrastive_epochs=4, contrastive_learning_rate=1e-3, epochs=2)
    stage.train(run)
    history = [json.loads(line) for line in (run.train / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in history] == [1, 2]
    cold = make_run(tmp_path / "cold", base, epochs=2)
    stage.train(cold)
    first = json.loads((cold.train / "history.jsonl").read_text().splitlines()[0])
    assert history[0]["loss"] < first["loss"], "the head finds its texts sorted already"
