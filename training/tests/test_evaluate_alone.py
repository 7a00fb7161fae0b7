"""The command `evaluate` on a package without a run: label names, settings, and one-line errors."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from labelstream_train.cli import main

from . import bag_of_words
from .toy_run import LABELS, WORDS, examples


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
            self.assertIn("3 of its 3 labels are not among the package's 3: 'Kreditkarte', 'MONEY', 'Pin code'", err)
            self.assertIn("the package has 'card', 'money', 'pin'", err)
            self.assertIn("--label-name 'Kreditkarte=", err)
            maps = ["Kreditkarte=card", "MONEY=money", "Pin code=pin"]
            flags = [word for each in maps for word in ("--label-name", each)]
            code, out, err = self.call("evaluate", *both, file, *flags)
            self.assertEqual((code, json.loads(out)), (0, right), err)
            self.assertIn("2 of 62 rows without a usable text or label are left out", err)

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
