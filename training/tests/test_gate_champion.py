"""The rule `champion`: a package against the one in use, on the same test texts."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts
from labelstream_train.errors import Refused, UserError
from labelstream_train.gate import champion
from labelstream_train.gate.stage import gate
from labelstream_train.package.verdict import Outcome, Verdict
from labelstream_train.run import Run

from . import bag_of_words, gated_run, word_package


def with_champion(tmp_path: Path, rule: str, package_in_use: Path, **package: Any) -> Outcome:
    path = gated_run.rules(tmp_path, f"[champion]\n{rule}\n")
    run: Run = gated_run.make(
        tmp_path / "out", {"gate": {"rules": str(path), "champion": str(package_in_use)}}, **package
    )
    with contextlib.suppress(Refused):
        gate(run)
    return Verdict.read(run.gate / "verdict.json").rules[0]


def test_as_good_as_the_champion_passes_and_worse_fails(tmp_path: Path) -> None:
    good = word_package.write(tmp_path / "champion")
    same = with_champion(tmp_path / "a", "margin = 0.05", good, weight=3.0)
    assert same.passed and same.value == 0.0 and same.interval is not None and same.interval[0] < 0
    worse = with_champion(tmp_path / "b", "margin = 0.05", good, is_bad=True)
    assert not worse.passed and worse.value == -1.0
    assert "120 only for the champion" in worse.sentence and "is not excluded" in worse.sentence


def test_too_few_texts_to_exclude_the_loss_fail(tmp_path: Path) -> None:
    found = with_champion(tmp_path, "margin = 0.001", word_package.write(tmp_path / "champion"))
    assert not found.passed and found.value == 0.0 and "not excluded" in found.sentence


def test_other_labels_are_said_and_their_texts_left_out(tmp_path: Path) -> None:
    words = {"card": ("card", "chip"), "cash": ("cash", "coins"), "loan": ("loan", "credit")}
    known = word_package.write(tmp_path / "champion", words=words)
    found = with_champion(tmp_path, "margin = 0.05", known)
    assert not found.passed and found.value == 0.0
    assert "lacks 1 of the champion's labels: loan" in found.sentence
    assert "40 test texts with labels that the champion lacks were left out" in found.sentence
    assert with_champion(tmp_path / "any", "margin = 0.06\nlabels = 'any'", known).passed


def test_an_empty_champion_is_none(tmp_path: Path) -> None:
    run = gated_run.make(tmp_path / "out", {"gate": {"champion": ""}})
    gate(run)
    found = {each.name: each for each in Verdict.read(run.gate / "verdict.json").rules}
    assert found["champion"].skipped and "no champion is set" in found["champion"].sentence


def test_a_champion_that_is_no_package_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no labelstream.json"):
        with_champion(tmp_path, "margin = 0.05", tmp_path / "nowhere")


def test_packages_with_several_labels_a_text_are_compared_by_whole_label_sets(tmp_path: Path) -> None:
    words = {"good": (4.0, -4.0, -4.0), "bad": (-4.0, 4.0, -4.0), "late": (-4.0, 4.0, 8.0)}
    bag_of_words.write(tmp_path / "new", ("joy", "anger", "fear"), words, is_multi_label=True)
    bag_of_words.write(
        tmp_path / "old", ("anger", "joy"), {"good": (-4.0, 4.0), "bad": (-4.0, -4.0)}, is_multi_label=True
    )
    texts = (("good", ("joy",)), ("bad", ("anger",)), ("late", ("anger", "fear")), ("nothing", ()))
    test = tuple(Example(text, labels) for text, labels in texts for _ in range(10))
    parts = Parts(("anger", "fear", "joy"), True, test, test, test, (), {})
    found = champion.match(tmp_path / "new", tmp_path / "old", parts)
    assert (found.lost, found.gained, found.left_out) == ((), ("fear",), 10)
    assert found.comparison is not None
    # A word that none knows has logit 0, so sigmoid 0.5, which reaches the threshold: both are wrong on "nothing".
    assert found.comparison.champion_accuracy.value == pytest.approx(1 / 3)
    assert found.comparison.challenger_accuracy.value == pytest.approx(2 / 3)
    assert (found.comparison.only_challenger_right, found.comparison.only_champion_right) == (10, 0)
    single = word_package.write(tmp_path / "single")
    with pytest.raises(UserError, match="only one of them is multi-label"):
        champion.match(tmp_path / "new", single, parts)
