"""The stage `evaluate` and the command on a package alone, end to end on a tiny package; what card and page say."""

import contextlib
import dataclasses
import io
import json
import re
import tempfile
import time
import unittest
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from labelstream_train import settings
from labelstream_train.cli import main
from labelstream_train.data.examples import Example
from labelstream_train.data.parts import Parts
from labelstream_train.errors import Stopped, UserError
from labelstream_train.evaluate import report, stage, wording
from labelstream_train.run import Run

from . import bag_of_words

LABELS = ("card", "money", "pin")
WORDS = {
    "card": (3, 0, 0),
    "money": (0, 3, 0),
    "pin": (0, 0, 3),
    "lost": (0.5, 0, 0.2),
    "sent": (0, 0.5, 0),
    "wife": (0.4, 0, 0),
}
FAST = {
    "evaluate.bootstrap_repeats": 200,
    "evaluate.speed_repeats": 8,
    "evaluate.robustness_texts_max": 60,
    "evaluate.slice_texts_min": 10,
    "evaluate.accuracy_target": 0.85,
}


def examples(count: int, seed: int, is_multi_label: bool = False) -> tuple[Example, ...]:
    """Texts that name their label, but for one in ten; half from the web, half from an app."""
    dice = np.random.default_rng(seed)
    made = []
    for place in range(count):
        label = LABELS[place % 3]
        word = label if dice.random() > 0.1 else str(dice.choice(LABELS))
        filler = " ".join(dice.choice(["my", "is", "the", "now", "help", "please"], size=dice.integers(2, 12)))
        person = " said my wife" if place % 5 == 0 else ""
        labels = (label, "pin") if is_multi_label and label != "pin" and place % 2 else (label,)
        text = f"{word} {'pin ' if len(labels) > 1 else ''}{filler}{person} {place}"
        made.append(Example(text, labels, slices={"source": "web" if place % 2 else "app"}))
    return tuple(made)


def make_run(out: Path, is_multi_label: bool = False, **more: object) -> Run:
    """A run folder as the stages before `evaluate` leave it."""
    outside = tuple(Example(f"weather in {town}?", ("oos",)) for town in ("Rome", "Oslo", "Lima", "Bonn") * 8)
    facts = {
        "files": [{"part": "train", "name": "toy.csv", "sha256": "0" * 64, "rows": 300}],
        "fingerprint": "0" * 64,
        "dropped": {"train_in_test": 2},
        "data": {"name": "toy", "licence": "CC0-1.0", "attribution": "nobody"},
    }
    parts = Parts(LABELS, is_multi_label, examples(120, 1, is_multi_label), examples(60, 2, is_multi_label),
                  examples(150, 3, is_multi_label), outside, facts)  # fmt: skip
    run = Run(settings.check(settings.override({}, [f"{key}={value}" for key, value in (FAST | more).items()])), out)
    out.mkdir(parents=True)
    parts.write(run.data)
    bag_of_words.write(run.package, LABELS, WORDS, is_multi_label, temperature=0.8)
    return run


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
        self.assertNotIn("Read with care", (run.package / "README.md").read_text(encoding="utf-8"))
        terms = ("gay", "muslim", "sikh")
        strange = [{"text": f"the {term} bird {place}"} for place in range(30) for term in terms]
        file.write_text("".join(json.dumps(row) + "\n" for row in strange))
        run = make_run(self.root / "strange", **(more | {"evaluate.bias_harmful": "[]"}))
        stage.evaluate(run)
        self.assertEqual(report.read(run.evaluate / "report.json")["bias"]["unlike"]["value"], 1.0)
        self.assertIn("Read with care", (run.package / "README.md").read_text(encoding="utf-8"))
        wrong = make_run(self.root / "wrong", **{"evaluate.bias_harmful": '["rude"]'})
        with self.assertRaisesRegex(UserError, "no label 'rude'"):
            stage.evaluate(wrong)


class Alone(unittest.TestCase):
    def call(self, *arguments: object) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(each) for each in arguments])
        return code, out.getvalue(), err.getvalue()

    def test_a_package_on_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            bag_of_words.write(root / "package", LABELS, WORDS)
            file = root / "labelled.csv"
            rows = "".join(f"{each.text},{each.labels[0]}\n" for each in examples(60, 5))
            file.write_text("utterance,intent\n" + rows)
            code, out, err = self.call("evaluate", "--package", root / "package", "--data", file)
            self.assertEqual(code, 0, err)
            found = json.loads(out)
            self.assertEqual(found["n_test"], 60)
            self.assertLess(found["test_accuracy_low"], found["test_accuracy"])
            both = [f"--package={root / 'package'}", "--data", file, "--speed-repeats", 3]
            code, out, err = self.call("evaluate", *both, "--report", root / "page")
            self.assertEqual(code, 0, err)
            self.assertTrue((root / "page" / "report.html").is_file())
            file.write_text("text,label\nmy card,wings\n")
            code, _, err = self.call("evaluate", "--package", root / "package", "--data", file)
            self.assertEqual(code, 2)
            self.assertIn("wings", err)
            self.assertEqual(err.count("\n"), 1)

    def labelled(self, root: Path, names: dict[str, str], more: str = "") -> Path:
        """Sixty texts with the labels of the package under other names."""
        file = root / "labelled.csv"
        rows = "".join(f"{each.text},{names[each.labels[0]]}\n" for each in examples(60, 5))
        file.write_text("text,label\n" + rows + more)
        return file

    def test_the_help_shows_both_ways(self) -> None:
        out = io.StringIO()
        with self.assertRaises(SystemExit), contextlib.redirect_stdout(out):
            main(["evaluate", "--help"])
        for flag in ("--package DIR", "--report DIR", "--out DIR", "--set SECTION.KEY=VALUE", "--label-name LABEL=NAME",
                     "--bias-identity COLUMN"):  # fmt: skip
            self.assertIn(flag, out.getvalue())

    def test_labels_of_other_names_are_mapped(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            bag_of_words.write(root / "package", LABELS, WORDS)
            both = ["--package", root / "package", "--data"]
            right = json.loads(self.call("evaluate", *both, self.labelled(root, {n: n for n in LABELS}))[1])
            file = self.labelled(root, {"card": "Kreditkarte", "money": "MONEY", "pin": "Pin code"}, "x,\n,card\n")
            code, out, err = self.call("evaluate", *both, file)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("3 of its 3 labels are none of the package's 3: 'Kreditkarte', 'MONEY', 'Pin code'", err)
            self.assertIn("the package has 'card', 'money', 'pin'", err)
            self.assertIn("--label-name 'Kreditkarte=", err)
            maps = ["Kreditkarte=card", "MONEY=money", "Pin code=pin"]
            flags = [word for each in maps for word in ("--label-name", each)]
            code, out, err = self.call("evaluate", *both, file, *flags)
            self.assertEqual((code, json.loads(out)), (0, right), err)
            self.assertIn("2 of 62 rows have no usable text or label and are left out", err)

    def test_a_label_is_offered_for_the_one_it_is_most_like(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            for own, theirs, offer in (
                (("Card arrival", "b"), "card_arrival", "card_arrival=Card arrival"),
                (("LABEL_0", "LABEL_1"), "1", "1=LABEL_1"),
                (("payments", "b"), "payment", "payment=payments"),
            ):
                package = root / theirs
                bag_of_words.write(package, own, {"card": (3, 0)})
                (root / "d.csv").write_text(f"text,label\nmy card,{theirs}\n")
                code, _, err = self.call("evaluate", "--package", package, "--data", root / "d.csv")
                self.assertEqual(code, 2)
                self.assertIn(f"--label-name '{offer}'", err)

    def test_labels_that_differ_in_form_only_need_no_map(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            names = ("1", "Gebu\u0308hr", "pin")
            package = root / "package"
            bag_of_words.write(package, names, WORDS)
            file = self.labelled(root, {"card": "1.0", "money": "Geb\u00fchr", "pin": "pin"})
            code, out, err = self.call("evaluate", "--package", package, "--data", file)
            self.assertEqual(code, 0, err)
            self.assertGreater(json.loads(out)["test_accuracy"], 0.8)

    def test_any_setting_is_taken_and_mistakes_are_one_line(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            bag_of_words.write(root / "package", LABELS, WORDS)
            both = ["--package", root / "package", "--data", self.labelled(root, {n: n for n in LABELS})]
            few = self.call("evaluate", *both, "--set", "evaluate.bootstrap_repeats=200")
            more = self.call("evaluate", *both, "--set", "evaluate.bootstrap_repeats=400")
            self.assertEqual((few[0], more[0]), (0, 0), few[2] + more[2])
            self.assertNotEqual(few[1], more[1])
            for wrong, said in (
                (["--set", "evaluate.bootstrap=3"], "there is no evaluate.bootstrap"),
                (["--out", root / "run"], "--package and --out exclude each other"),
                (["--force"], "--force goes with --out"),
            ):
                code, _, err = self.call("evaluate", *both, *wrong)
                self.assertEqual((code, err.count("\n")), (2, 1))
                self.assertIn(said, err)
            code, _, err = self.call("evaluate", "--data", both[-1])
            self.assertEqual(code, 2)
            self.assertIn("give --out DIR (of a run), or --package DIR", err)

    def test_the_identity_column_may_have_any_name(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            package = root / "package"
            bag_of_words.write(package, LABELS, WORDS)
            file = self.labelled(root, {n: n for n in LABELS})
            rows = "".join(f"the {who} asks {word} {n},{who}\n" for n in range(15) for who in ("baker", "miner")
                           for word in ("pin", "card"))  # fmt: skip
            (root / "people.csv").write_text("Sentence,Trade\n" + rows)
            given = ["--package", package, "--data", file, "--bias-data", root / "people.csv", "--report",
                     root / "page", "--speed-repeats", 0, "--set", "evaluate.robustness_texts_max=0"]  # fmt: skip
            code, _, err = self.call("evaluate", *given, "--bias-identity", "trade")
            self.assertEqual(code, 0, err)
            bias = json.loads((root / "page" / "report.json").read_text())["bias"]
            self.assertEqual((bias["contexts"], bias["terms"]), (30, 2))
            code, _, err = self.call("evaluate", *given, "--bias-identity", "job")
            self.assertEqual(code, 2)
            self.assertIn("evaluate.bias_identity is 'job', found the columns 'Sentence', 'Trade'", err)

    def test_a_package_of_label_sets_on_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            bag_of_words.write(root / "package", LABELS, WORDS, is_multi_label=True)
            rows = [{"text": each.text, "labels": each.labels} for each in examples(60, 5, is_multi_label=True)]
            (root / "sets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            code, out, err = self.call("evaluate", "--package", root / "package", "--data", root / "sets.jsonl")
            self.assertEqual(code, 0, err)
            found = json.loads(out)
            self.assertGreater(found["test_macro_auroc_low"], 0.8)
            self.assertIn("test_ranking_loss", found)


class Words(unittest.TestCase):
    def test_an_estimate_is_never_without_its_interval(self) -> None:
        estimate = {"value": 0.9368, "low": 0.928, "high": 0.9447, "n": 3080, "method": "wilson"}
        self.assertEqual(wording.percent(estimate), "93.7 % (92.8 to 94.5)")
        self.assertEqual(wording.points(estimate | {"value": -0.0012}), "-0.1 (+92.8 to +94.5)")
        self.assertEqual(wording.percent(estimate | {"value": None}), wording.NONE)
        self.assertEqual(wording.number(estimate), "0.937 (0.928 to 0.945)")
        self.assertEqual(wording.number(estimate | {"high": 1049.6}), "0.937 (0.928 to 1,050)")
