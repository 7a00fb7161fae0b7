"""What the gate cannot pass whatever the model, and what it will skip, is said before training."""

from pathlib import Path

import pytest

from labelstream_train import cli
from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts
from labelstream_train.gate import outlook, rules

from . import gated_run
from .shop_texts import rows


def parts(each: int, labels: int = 3, is_multi_label: bool = False) -> Parts:
    names = tuple(f"label {number}" for number in range(labels))
    test = tuple(Example(f"{name} {number}", (name,)) for name in names for number in range(each))
    return Parts(names, is_multi_label, test, test, test, (), {})


def told(folder: Path, text: str, data: Parts) -> list[outlook.Outlook]:
    return list(outlook.of_data(rules.read(gated_run.rules(folder, text)), data))


@pytest.mark.parametrize(("each", "missing"), [(2, 3), (3, None)])
def test_a_floor_that_a_perfect_model_cannot_reach_is_a_refusal(tmp_path, each, missing):
    """6 texts all right are surely 0.61, 9 are surely 0.7009."""
    found = told(tmp_path, "[accuracy]\nmin = 0.7\nuse = 'low'\n", parts(each))
    assert [(one.is_refusal, one.missing) for one in found] == ([(True, missing)] if missing else [])
    assert not told(tmp_path / "value", "[accuracy]\nmin = 0.7\n", parts(1)), "only an end of an interval needs texts"


@pytest.mark.parametrize(("optional", "is_refusal"), [("true", False), ("false", True)])
def test_labels_with_few_test_texts_are_counted_with_what_is_missing(tmp_path, optional, is_refusal):
    rule = f"[class_recall]\nmin = 0.4\noptional = {optional}\n"
    (found,) = told(tmp_path, rule, parts(6, labels=64))
    assert (found.is_refusal, found.missing) == (is_refusal, 64 * 14)
    assert "all 64 labels have fewer than 20 test texts" in found.message and "896 are missing" in found.message
    some = Parts(("a", "b"), False, (), (), (*[Example("x", ("a",))] * 25, Example("y", ("b",))), (), {})
    (found,) = told(tmp_path / "some", rule, some)
    assert not found.is_refusal and "1 of 2 labels have fewer" in found.message and found.missing == 19
    assert not told(tmp_path / "many", rule, parts(20))


def test_texts_out_of_scope_that_are_demanded_and_absent_are_a_refusal(tmp_path):
    assert [one.rule for one in told(tmp_path, "[out_of_scope_auroc]\nmin = 0.8\n", parts(1))] == ["out_of_scope_auroc"]
    assert not told(tmp_path / "optional", "[out_of_scope_auroc]\nmin = 0.8\noptional = true\n", parts(1))


def test_validate_says_it_before_training(tmp_path, capsys):
    table = "".join(f'"{text}",{label}\n' for text, label in rows(20))
    (tmp_path / "data.csv").write_text("text,label\n" + table)
    place = ["--data", str(tmp_path / "data.csv"), "--out", str(tmp_path / "out")]
    assert cli.main(["validate", *place]) == 0
    assert "info: gate.class_recall: all 5 labels have fewer than 20 test texts" in capsys.readouterr().err
    strict = gated_run.rules(tmp_path / "rules", "[class_recall]\nmin = 0.4\n")
    assert cli.main(["validate", *place, "--rules", str(strict)]) == 0
    said = capsys.readouterr().err
    assert (
        "warning: gate.class_recall: the gate cannot pass: it requires class_recall" in said
        and "80 are missing" in said
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("[golden_texts]\noptional = true\n", "the drift reference and the gate's rule golden_texts will be left out"),
        ("[golden_texts]\n", "the drift reference will be left out, and the gate will refuse the package"),
        ("[accuracy]\nmin = 0.1\n", "the drift reference will be left out"),
    ],
)
def test_a_run_without_the_program_says_first_what_will_be_skipped(tmp_path, capsys, monkeypatch, rule, said):

    monkeypatch.delenv("LABELSTREAM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("labelstream_train.package.serving.CHECKOUT", tmp_path)
    path = gated_run.rules(tmp_path / "rules", rule)
    assert cli.main(["run", "--data", "none.csv", "--out", str(tmp_path / "out"), "--rules", str(path)]) == 2
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("note: the program `labelstream` was not found: ") and said in first
