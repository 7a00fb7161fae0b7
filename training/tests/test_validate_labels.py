"""The data check on repeated texts, contradictions, leakage, and labels."""

from . import planted
from .checking import Checking


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
