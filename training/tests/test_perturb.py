"""Perturbations change what they say and nothing else; the loss that they cost is measured in pairs."""

import unittest
from random import Random

import numpy as np

from labelstream_train.evaluate import perturb, robustness
from labelstream_train.statistics.intervals import Draws

TEXT = "Why was my café payment declined, please?"


class Perturbations(unittest.TestCase):
    def test_each_changes_the_text_and_is_the_same_for_the_same_seed(self) -> None:
        for name in perturb.PERTURBATIONS:
            first = perturb.apply(name, [TEXT] * 3, 5)
            self.assertEqual(first, perturb.apply(name, [TEXT] * 3, 5), name)
            self.assertTrue(any(each != TEXT for each in first), name)

    def test_what_they_do(self) -> None:
        changed = {name: perturb.apply(name, [TEXT], 0)[0] for name in perturb.PERTURBATIONS}
        self.assertEqual(changed["all upper case"], TEXT.upper())
        self.assertEqual(changed["accents taken off"], TEXT.replace("é", "e"))
        self.assertEqual(changed["no punctuation"], "Why was my café payment declined please")
        self.assertEqual(changed["second half cut off"], "Why was my café")
        self.assertEqual(changed["other white space"].split(), TEXT.split())
        self.assertEqual(sorted(changed["typo: two letters swapped"]), sorted(TEXT))
        self.assertEqual(len(changed["typo: a letter missing"]), len(TEXT) - 1)
        self.assertEqual(len(changed["typo: a letter twice"]), len(TEXT) + 1)
        near = changed["typo: neighbouring key"]
        wrong = [(old, new) for old, new in zip(TEXT, near, strict=True) if old != new]
        self.assertEqual(len(wrong), 1)
        self.assertIn(wrong[0][1], perturb.NEIGHBOURS[wrong[0][0].lower()])

    def test_neighbours_of_a_key(self) -> None:
        self.assertEqual(set(perturb.NEIGHBOURS["s"]), set("adwx"))
        self.assertEqual(set(perturb.NEIGHBOURS["q"]), set("wa"))

    def test_odd_texts_are_left_alone_and_nothing_fails(self) -> None:
        for name, change in perturb.PERTURBATIONS.items():
            for text in ("", " ", "7", "a", "💳", "我的银行卡", "x" * 3000, "ab 12 ?!"):
                self.assertIsInstance(change(text, Random(0)), str, name)


class Robustness(unittest.TestCase):
    def test_a_model_that_reads_only_small_letters(self) -> None:
        texts = ["yes please do"] * 30 + ["oh no never"] * 30
        truth = np.array([1] * 30 + [0] * 30)

        def score(given: list[str]) -> np.ndarray:
            yes = np.array([0.9 if "yes" in text else 0.1 for text in given])
            return np.stack([1 - yes, yes], axis=1)

        rows = {row["name"]: row for row in robustness.measure(score, texts, truth, np.zeros(2), Draws(200, 0))}
        self.assertEqual(rows["all upper case"]["change"].value, -0.5)
        self.assertLess(rows["all upper case"]["change"].high, -0.3)
        self.assertEqual(rows["all upper case"]["flips"].value, 0.5)
        self.assertEqual(rows["emoji at the end"]["change"].value, 0.0)
        self.assertNotIn("accents taken off", rows)  # changes none of the texts
        self.assertNotIn("all lower case", rows)

    def test_label_sets(self) -> None:
        def score(given: list[str]) -> np.ndarray:
            return np.array([[0.9 * ("yes" in text), 0.9 * ("now" in text)] for text in given])

        truth = np.ones((40, 2), np.float32)
        found = robustness.measure(score, ["yes and now"] * 40, truth, np.array([0.5, 0.5]), Draws(200))
        rows = {row["name"]: row for row in found}
        self.assertAlmostEqual(rows["second half cut off"]["accuracy"].value, 2 / 3)
        self.assertAlmostEqual(rows["second half cut off"]["change"].value, 2 / 3 - 1)
        same = rows["emoji at the end"]["change"]
        self.assertEqual(same.value, 0.0)
        self.assertLess(same.low, -0.02)  # 40 texts without a change do not show that there is none

    def test_sample_is_in_proportion(self) -> None:
        truth = np.repeat([0, 1, 2], [100, 200, 300])
        places = robustness.sample(truth, 60, 0)
        self.assertEqual(len(set(places)), 60)
        np.testing.assert_allclose(np.bincount(truth[places]), [10, 20, 30], atol=1)
