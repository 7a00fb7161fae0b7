"""The report page: terms explained, one unit a column, the learning curve, and the package in use with who pays."""

import re
from pathlib import Path

import numpy as np
import pytest

from labelstream_train import json_file
from labelstream_train.data.examples import Example
from labelstream_train.evaluate import champion_section, learning_section, report, sections, stage, terms, wording
from labelstream_train.gate import changes
from labelstream_train.gate.stage import gate
from labelstream_train.learning import curve
from labelstream_train.page import Headline, Section, Table, Terms, page
from labelstream_train.statistics.intervals import Draws
from labelstream_train.validate.stage import validate

from . import gated_run
from .toy_run import make_run

LABELS = ("card", "cash", "fee")


def answers(before: list[int], after: list[int], truth: list[int]) -> changes.Answers:
    one_hot = [np.eye(3, dtype=bool)[np.array(each)] for each in (truth, before, after)]
    return changes.Answers(LABELS, *one_hot)


def compared(before: list[int], after: list[int], truth: list[int], texts_max: int = 30) -> dict:
    examples = [Example(f"text {n} of ann@example.org", (LABELS[place],)) for n, place in enumerate(truth)]
    return report.plain(changes.measure(answers(before, after, truth), examples, texts_max, Draws(200, 0)))


def test_every_figure_has_a_line_that_explains_it() -> None:
    for name in wording.NAMES:
        for is_multi in (False, True):
            words = wording.words_of(name, is_multi)
            assert terms.MEANINGS[words].endswith("."), words


def test_who_pays_for_a_gain_is_told_by_label() -> None:
    truth = [0] * 40 + [1] * 40 + [2] * 40
    after = [0] * 40 + [1] * 40 + [2] * 10 + [1] * 30  # cash is fixed, fee broken
    before = [0] * 40 + [0] * 20 + [1] * 20 + [2] * 40
    found = compared(before, after, truth)
    rows = {row["label"]: row for row in found["labels"]}
    assert rows["fee"]["difference"]["high"] < 0 and rows["fee"]["p_adjusted"] < 0.05
    assert rows["fee"]["before"] == 1.0 and rows["fee"]["after"] == pytest.approx(0.4)
    assert rows["card"]["difference"]["low"] > 0, "it is no longer given to texts of cash"
    assert found["texts"] == {"changed": 50, "fixed": 20, "broken": 30}


def test_changed_texts_are_masked_and_off_by_a_setting() -> None:
    truth, before, after = [0, 1, 2, 2], [0, 0, 2, 0], [1, 1, 2, 1]
    found = compared(before, after, truth)
    assert [(each["truth"], each["before"], each["after"]) for each in found["broken"]] == [("card", "card", "cash")]
    assert [each["truth"] for each in found["fixed"]] == ["cash"]
    assert found["texts"]["changed"] == 3, "one is wrong before and after"
    assert "[email]" in found["broken"][0]["text"] and "@" not in str(found)
    none = compared(before, after, truth, 0)
    assert none["fixed"] == none["broken"] == [] and none["texts"] == found["texts"]


def test_only_a_corrected_p_calls_a_label_better_or_worse() -> None:
    truth = [0] * 30 + [1] * 30 + [2] * 30
    wrong = [1, *truth[1:]]
    found = compared(wrong, truth, truth)
    section = champion_section.champion(_facts(found), is_multi_label=False)
    table = next(part for part in section.parts if isinstance(part, Table) and part.columns[0] == "label")
    assert {row[-1] for row in table.rows} == {""}


def _facts(found: dict) -> dict:
    gap = {"value": 0.01, "low": -0.01, "high": 0.03}
    comparison = {
        "accuracy_difference": gap,
        "macro_f1_difference": gap,
        "micro_f1_difference": gap,
        "n": 90,
        "p_mid": 0.5,
    }
    about = {"name": "old", "version": "1", "labels_gained": [], "labels_lost": ["x"], "texts_left_out": 2}
    return found | about | {"comparison": comparison}


def test_the_gate_puts_the_package_in_use_on_the_page(tmp_path: Path) -> None:
    run = gated_run.make(tmp_path / "out", {"gate": {"champion": str(tmp_path / "old")}})
    gated_run.word_package.write(tmp_path / "old", is_bad=True)
    gate(run)
    found = json_file.read_object(run.gate / "comparison.json", made_by="gate")
    assert found["texts"]["fixed"] > 0 and found["texts"]["broken"] == 0
    assert {row["label"] for row in found["labels"]} == {"card", "cash", "fee"}
    section = champion_section.champion(found, is_multi_label=False)
    assert section.title == "Compared with the package in use" and section.parts[0].startswith("Better than")


def test_the_learning_curve_is_written_read_and_drawn(tmp_path: Path) -> None:
    history = [{"epoch": n, "loss": 1 / n, "plain_accuracy": 0.8 + n / 100, "plain_nll": 0.5 / n} for n in (1, 2, 3)]
    curve.write(tmp_path, history, 3)
    rows = curve.read(tmp_path)
    assert (tmp_path / curve.NAME).read_text(encoding="utf-8").splitlines()[:2] == [
        ",".join(curve.COLUMNS),
        "1,1,0.81,0.5,0",
    ]
    assert [row["chosen"] for row in rows] == [0, 0, 1]
    assert curve.read(tmp_path / "nowhere") == []
    points = [
        {"texts": n, "accuracy": {"value": n / 100, "low": n / 100 - 0.01, "high": n / 100 + 0.01}}
        for n in (20, 40, 80)
    ]
    section = learning_section.learning({"learning": rows, "baseline": {"curve": points}, "is_multi_label": False})
    said = [part for part in section.parts if isinstance(part, str)]
    assert "epoch 3, with a held-out accuracy of 83.0 %" in said[0]
    assert "+40.0 points for twice as many texts. So more labelled texts are likely to help." in said[1]
    flat = [point | {"accuracy": points[0]["accuracy"]} for point in points]
    section = learning_section.learning({"learning": None, "baseline": {"curve": flat}, "is_multi_label": False})
    assert "are likely to help little" in section.parts[0]
    assert learning_section.learning({"learning": None, "baseline": None, "is_multi_label": True}) is None


@pytest.mark.parametrize("is_multi", [False, True])
def test_a_column_has_one_unit_and_a_long_name_breaks_at_its_joints(tmp_path: Path, is_multi: bool) -> None:
    run = make_run(tmp_path / "out", is_multi, **{"evaluate.speed_repeats": 0, "evaluate.bias_texts_max": 0})
    stage.evaluate(run)
    html = sections.html(report.read(run.evaluate / "report.json"))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html)
    assert len(cells) > 100
    assert [cell for cell in cells if re.fullmatch(r"[-+\d., ]+ %.*", cell)] == []
    assert html.index('class="terms"') < html.index("<h2>"), "the headline's words are explained with it"
    shown = page("t", [Section("s", [Table(["label"], [["card_payment_wrong_exchange_rate"], ["fee"]])])])
    assert "card_<wbr>payment_<wbr>wrong_<wbr>exchange_<wbr>rate" in shown and ">fee<" in shown


def test_a_wide_table_says_that_it_scrolls_and_a_narrow_one_does_not() -> None:
    def shown(*rows: list[object]) -> str:
        return page("t", [Section("s", [Table([f"column {n}" for n in range(len(rows[0]))], rows)])])

    body = shown(["a", 1]).partition("<body>")[2]
    assert "hint" not in body
    number = "93.71 (92.80 to 94.47)"
    assert 'class="wide named scrolls-on-telephones"' in shown(["a", number, number, number])
    assert 'class="wide named scrolls"' in shown(["a", *[number] * 6])
    explained = shown(["a", 1, "a line that explains the figure in words of everybody"])
    assert 'class="wide named stacks"' in explained and "hint" not in explained.partition("<body>")[2]


def test_terms_are_shown_with_their_lines_and_escaped() -> None:
    html = page("t", [Section("", [Headline([("1", "x", "y", "good")]), Terms([("<b>", "a & b")])])])
    assert "<dt>&lt;b&gt;</dt><dd>a &amp; b</dd>" in html


def test_the_data_page_opens_with_the_verdict_and_sizes(tmp_path: Path) -> None:
    from . import planted

    planted.write(planted.rows(60), tmp_path / "data" / "train.jsonl")
    run = gated_run.Run(gated_run.settings.check({"data": {"path": str(tmp_path / "data")}}), tmp_path / "out")
    validate(run)
    html = (run.validate / "report.html").read_text(encoding="utf-8")
    head = html.partition("<body>")[2].partition("<h2>")[0]
    assert ">accepted<" in head and "training texts" in head and "test texts" in head
    assert "median characters" in html and "half are at most" in html
