"""What people read first in a report: the headline with floor and gate, names that differ, a matrix with numbers."""

import json
import re
from pathlib import Path

import numpy as np

from labelstream_train.data.examples import Example
from labelstream_train.evaluate import baseline, mistakes, plots, report, sections, stage
from labelstream_train.gate.stage import gate
from labelstream_train.page import Headline, Section, Table, distinct, page
from labelstream_train.validate.finding import Finding

from .toy_run import make_run


def test_the_page_opens_with_the_figure_its_interval_the_floor_and_the_verdict(tmp_path: Path) -> None:
    run = make_run(tmp_path / "out", **{"evaluate.speed_repeats": 0, "evaluate.bias_texts_max": 0})
    (run.train).mkdir()
    (run.out / "export.json").write_text(json.dumps({"storage": "fp32"}))
    stage.evaluate(run)
    found = report.read(run.evaluate / "report.json")
    before = (run.evaluate / "report.html").read_text(encoding="utf-8")
    value = found["estimates"]["accuracy"]
    head = before[: before.index("<nav>")]
    assert f"{100 * value['value']:.1f} %" in head and f"95 % interval {100 * value['low']:.1f}" in head
    assert "the baseline: TF-IDF and logistic regression" in head and "points above the baseline" in head
    assert "the gate" not in head
    try:
        gate(run)
    except Exception as refused:  # whether it passes is not the point
        assert "pass the gate" in str(refused)
    assert (run.evaluate / "report.html").read_text(encoding="utf-8") == before, "each stage has files of its own"
    after = (run.gate / "report.html").read_text(encoding="utf-8")
    assert "<dt>the gate</dt>" in after[: after.index("<nav>")] and "The gate&#39;s rules" in after


def test_the_floor_is_what_a_word_count_knows() -> None:
    words = {"pay": ("invoice", "bill"), "send": ("parcel", "courier")}
    train = [Example(f"my {word} {n}", (label,)) for label, known in words.items() for word in known for n in range(30)]
    test = [Example(f"the {word}", (label,)) for label, known in words.items() for word in known]
    truth = np.array([0, 0, 1, 1])
    found = baseline.measure(train, test, truth, ("pay", "send"), np.array([True, False, False, False]))
    assert found["accuracy"].value == 1.0 and found["difference"].value == -0.75 and found["texts"] == 120
    assert baseline.measure(train[:30], test, truth, ("pay", "send"), truth == 0) is None


def test_wrong_answers_are_the_surest_first_masked_and_off_by_a_setting() -> None:
    texts = [Example(f"write to ann{n}@example.org about it", ("a",)) for n in range(4)]
    scores = np.array([[0.4, 0.6], [0.9, 0.1], [0.1, 0.9], [0.3, 0.7]])
    found = mistakes.measure(texts, scores, np.zeros(4, int), ("a", "b"), 30)
    assert [each["score"] for each in found] == [0.9, 0.7, 0.6]
    assert all(each["guess"] == "b" and "[email]" in each["text"] and "@" not in each["text"] for each in found)
    assert mistakes.measure(texts, scores, np.zeros(4, int), ("a", "b"), 0) == []


def test_names_in_a_figure_are_never_alike() -> None:
    names = [f"a very long name of a label that differs only at its end {n}" for n in range(3)]
    names += [f"begins {n} and goes on in the same way for a long time as others do" for n in range(3)]
    names += [f"{'x' * 60} {n} {'y' * 60}" for n in range(3)]
    for limit in (24, 34):
        found = distinct(names, limit)
        assert len(set(found)) == len(names) and all(len(each) <= limit + 8 for each in found)
    assert distinct(["short", "other"]) == ["short", "other"]


def test_a_matrix_has_numbers_and_of_many_labels_the_confused_ones() -> None:
    counts = np.diag([20] * 40)
    counts[7, 31], counts[31, 7], counts[3, 4] = 6, 5, 4
    svg = plots.confusion(counts.tolist(), [f"label {n}" for n in range(40)])
    shown = re.findall(r">label (\d+)<", svg.svg)
    assert "the 30 of 40 labels that are confused most" in svg.caption
    assert {"7", "31", "3", "4"} <= set(shown)
    names = shown[:30]
    assert abs(names.index("7") - names.index("31")) == 1, "labels taken for one another stand together"
    assert ">6<" in svg.svg and ">20<" in svg.svg


def test_words_are_not_broken_by_letters_and_wide_tables_scroll() -> None:
    html = page(
        "t", [Section("", [Headline([("9 %", "x", "y", "good")])]), Section("s", [Table(["n", "w"], [[1, "a"]])])]
    )
    assert "overflow-wrap: anywhere" not in html and "background-attachment: local, local, scroll, scroll" in html
    assert '<th scope="col" class="number">n</th>' in html and '<th scope="col" class="words">w</th>' in html
    assert html.index('class="headline"') < html.index("<h2>")


def test_a_finding_is_headed_in_words() -> None:
    finding = Finding("label.few_texts", "warning", 1, 2, "m", "a")
    assert finding.title == "Labels: few texts" and sections is not None
