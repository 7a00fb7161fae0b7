"""The stage `evaluate` and the command on a package alone, end to end on a tiny package; what card and page say."""

import dataclasses
import json
import re
import tempfile
import time
import unittest
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from labelstream_train.errors import Stopped, UserError
from labelstream_train.evaluate import report, stage, wording

from .toy_run import LABELS, make_run


class Tags(HTMLParser):
    """Fails on tags that are not closed in order, scripts, and anything loaded from elsewhere."""

    EMPTY = ("meta", "path", "use", "image", "br", "wbr", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        for name, value in attrs:
            assert not (name in ("src", "href", "xlink:href") and (value or "").startswith("http")), value
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def alone_percents(text: str) -> list[str]:
    """Lines of Markdown that have a share without its interval; code and the interval's own 95 % do not count."""
    plain = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    plain = re.sub(r"\b95 %( intervals?| of in-scope texts)", "", plain)
    return [line for line in plain.splitlines() if re.search(r"\d %(?! \(-?[\d.]+ to -?[\d.]+\))", line)]


class Stage(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.place = tempfile.TemporaryDirectory()
        cls.root = Path(cls.place.name)
        cls.run_ = make_run(cls.root / "single")
        stage.evaluate(cls.run_)
        cls.report = report.read(cls.run_.evaluate / "report.json")
        cls.card = (cls.run_.package / "README.md").read_text(encoding="utf-8")
        cls.page = (cls.run_.evaluate / "report.html").read_text(encoding="utf-8")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.place.cleanup()

    def test_every_measurement_is_there_and_true(self) -> None:
        test = self.run_.parts().test
        truth = [LABELS.index(each.labels[0]) for each in test]
        guess = np.load(self.run_.evaluate / "test_scores.npz")["probabilities"].argmax(axis=1)
        accuracy = float(np.mean(guess == truth))
        self.assertTrue(0.85 < accuracy < 1)
        self.assertAlmostEqual(self.report["estimates"]["accuracy"]["value"], accuracy, 6)
        self.assertEqual([row["label"] for row in self.report["classes"]], list(LABELS))
        self.assertEqual({row["slice"] for row in self.report["slices"]}, {"length", "source"})
        self.assertEqual(np.sum(self.report["confusion_matrix"]), len(test))
        changes = {row["name"]: row["change"]["value"] for row in self.report["robustness"]}
        self.assertEqual(changes["all upper case"], 0.0)  # the tokenizer lower-cases
        self.assertLess(changes["typo: neighbouring key"], 0.0)
        self.assertGreater(self.report["out_of_scope"]["scores"][0]["auroc"]["low"], 0.85)
        self.assertEqual(self.report["out_of_scope"]["scores"][0]["chosen_on"], "held out")
        self.assertEqual(self.report["bias"]["source"], "test texts")
        shift = {row["term"]: row["shift"]["value"] for row in self.report["bias"]["by_term"]}
        self.assertNotEqual(shift["wife"], shift["husband"])
        self.assertEqual(sorted({row["threads"] for row in self.report["speed"]["single"]})[0], 1)
        self.assertEqual(self.report["abstaining"]["score"]["target"]["chosen_on"], "held out")

    def test_every_estimate_has_an_interval_that_holds_it(self) -> None:
        found = []

        def walk(value: object) -> None:
            if isinstance(value, dict) and "method" in value:
                found.append(value)
            for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                walk(each)

        walk(self.report)
        self.assertGreater(len(found), 120)
        for each in found:
            self.assertLessEqual(each["low"], each["high"])
            if each["value"] is not None and each["method"] != "bonett-price":  # that one is pulled towards 0
                self.assertLessEqual(each["low"] - 1e-6, each["value"])
                self.assertLessEqual(each["value"], each["high"] + 1e-6)

    def test_every_share_in_the_card_has_its_interval(self) -> None:
        self.assertEqual(alone_percents(self.card), [])
        self.assertEqual(alone_percents("accuracy 93.7 % on test"), ["accuracy 93.7 % on test"])
        self.assertEqual(alone_percents("accuracy 93.7 % (92.0 to 95.0)"), [])
        for words in ("scored once", "nobody", "CC0-1.0", "Use and limits", "labelstream-train run", "train in test"):
            self.assertIn(words, self.card)
        self.assertNotIn(str(self.root), self.card)

    def test_page_is_whole_and_loads_nothing(self) -> None:
        tags = Tags()
        tags.feed(self.page)
        self.assertEqual(tags.open, [])
        named = ["Metrics", "Labels", "Confusions", "Learning", "Calibration", "Abstaining", "Slices", "Robustness"]
        self.assertEqual(tags.headings, [*named, "Identity swaps", "Out of scope", "Speed", "Method"])

    def test_manifest_has_the_figures_and_no_timings(self) -> None:
        metrics = json.loads((self.run_.package / "labelstream.json").read_text())["metrics"]
        self.assertAlmostEqual(metrics["test_accuracy"], self.report["estimates"]["accuracy"]["value"], 4)
        self.assertIn("out_of_scope_auroc_score_low", metrics)
        self.assertTrue(all(isinstance(value, (int, float)) for value in metrics.values()))
        self.assertFalse([name for name in metrics if "ms" in name.split("_") or "second" in name])

    def test_second_look_at_the_test_is_told_and_figures_are_the_same(self) -> None:
        run = make_run(self.root / "twice", **{"evaluate.speed_repeats": 0, "evaluate.bias_texts_max": 0})
        stage.evaluate(run)
        first = report.read(run.evaluate / "report.json")
        manifest = (run.package / "labelstream.json").read_bytes()
        stage.evaluate(run)
        second = report.read(run.evaluate / "report.json")
        self.assertEqual((first["data"]["evaluations"], second["data"]["evaluations"]), (1, 2))
        self.assertTrue(any("2 times" in sentence for sentence in second["warnings"]))
        self.assertIn("scored 2 times", (run.package / "README.md").read_text(encoding="utf-8"))
        for one in (first, second):
            one["data"], one["warnings"] = None, None
        self.assertEqual(first, second)
        self.assertEqual(manifest, (run.package / "labelstream.json").read_bytes())

    def test_stops_when_the_time_is_over_without_a_look_at_the_test(self) -> None:
        run = dataclasses.replace(make_run(self.root / "late"), deadline=time.monotonic())
        with self.assertRaises(Stopped):
            stage.evaluate(run)
        self.assertFalse((run.out / "test_uses.json").exists())
        self.assertFalse(run.evaluate.exists())

    def test_label_sets(self) -> None:
        run = make_run(self.root / "multi", is_multi_label=True)
        stage.evaluate(run)
        found = report.read(run.evaluate / "report.json")
        self.assertTrue(found["is_multi_label"])
        self.assertIsNone(found["abstaining"])
        self.assertGreater(found["estimates"]["macro_auroc"]["value"], 0.9)
        self.assertEqual(found["slices"][0]["figure"], "sample_f1")
        self.assertEqual(alone_percents((run.package / "README.md").read_text(encoding="utf-8")), [])
        tags = Tags()
        tags.feed((run.evaluate / "report.html").read_text(encoding="utf-8"))
        self.assertEqual(tags.open, [])

    def test_ready_sentences_and_harmful_labels(self) -> None:
        rows = [{"text": f"the {term} {word} {place}", "label": "toxic" if word == "pin" else "fine"}
                for place in range(30) for term in ("gay", "muslim", "sikh") for word in ("pin", "card")]  # fmt: skip
        file = self.root / "sentences.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        more = {"evaluate.bias_data": f'"{file}"', "evaluate.bias_harmful": '["pin"]', "evaluate.speed_repeats": 0}
        run = make_run(self.root / "sentences", **more)
        stage.evaluate(run)
        bias = report.read(run.evaluate / "report.json")["bias"]
        self.assertEqual((bias["source"], bias["contexts"], bias["terms"]), ("sentences.jsonl", 60, 3))
        self.assertEqual(bias["harm"]["auroc"]["value"], 1.0)
        self.assertEqual(bias["flip_rate"]["value"], 0.0)
        self.assertAlmostEqual(bias["flip_rate"]["high"], 0.0602, 4)  # Wilson, 0 of 60 contexts
        self.assertLess(bias["unlike"]["value"], 0.1)
        self.assertNotIn("Caution: ", (run.package / "README.md").read_text(encoding="utf-8"))
        terms = ("gay", "muslim", "sikh")
        strange = [{"text": f"the {term} bird {place}"} for place in range(30) for term in terms]
        file.write_text("".join(json.dumps(row) + "\n" for row in strange))
        run = make_run(self.root / "strange", **(more | {"evaluate.bias_harmful": "[]"}))
        stage.evaluate(run)
        self.assertEqual(report.read(run.evaluate / "report.json")["bias"]["unlike"]["value"], 1.0)
        self.assertIn("Caution: ", (run.package / "README.md").read_text(encoding="utf-8"))
        wrong = make_run(self.root / "wrong", **{"evaluate.bias_harmful": '["rude"]'})
        with self.assertRaisesRegex(UserError, "no label 'rude'"):
            stage.evaluate(wrong)


class Words(unittest.TestCase):
    def test_an_estimate_is_never_without_its_interval(self) -> None:
        estimate = {"value": 0.9368, "low": 0.928, "high": 0.9447, "n": 3080, "method": "wilson"}
        self.assertEqual(wording.percent(estimate), "93.7 % (92.8 to 94.5)")
        self.assertEqual(wording.points(estimate | {"value": -0.0012}), "-0.1 (+92.8 to +94.5)")
        self.assertEqual(wording.percent(estimate | {"value": None}), wording.NONE)
        self.assertEqual(wording.number(estimate), "0.937 (0.928 to 0.945)")
        self.assertEqual(wording.number(estimate | {"high": 1049.6}), "0.937 (0.928 to 1,050)")
