"""Temperatures, curves and thresholds on arrays whose answers are known."""

import unittest

import numpy as np

from labelstream_train.errors import UserError
from labelstream_train.package import calibration, thresholds


class Temperature(unittest.TestCase):
    def test_sigmoid_is_the_formula_and_does_not_overflow(self) -> None:
        found = calibration.sigmoid(np.array([[np.log(3.0), -np.log(3.0), 0.0, -1e4, 1e4]]))
        np.testing.assert_allclose(found, [[0.75, 0.25, 0.5, 0.0, 1.0]])

    def test_recovers_the_temperature_that_labels_were_drawn_with(self) -> None:
        dice = np.random.default_rng(1)
        logits = dice.normal(0, 3, (20_000, 4))
        for is_multi_label in (False, True):
            if is_multi_label:
                truth = (dice.random(logits.shape) < calibration.sigmoid(logits, 2.5)).astype(np.float32)
            else:
                chances = np.exp(logits / 2.5)
                edges = np.cumsum(chances / chances.sum(axis=1, keepdims=True), axis=1)
                truth = (dice.random((len(logits), 1)) < edges).argmax(axis=1)
            found = calibration.fit_temperature(logits, truth, is_multi_label)
            self.assertAlmostEqual(found, 2.5, delta=0.1)

    def test_binary_nll_by_hand(self) -> None:
        # -(ln 0.75 + ln 0.75) / 2 for a present label at sigmoid 3/4 and an absent one at 1/4
        logits, truth = np.array([[np.log(3.0), -np.log(3.0)]]), np.array([[1.0, 0.0]])
        self.assertAlmostEqual(calibration.binary_nll(logits, truth, 1.0), -np.log(0.75))

    def test_multi_label_ece_by_hand(self) -> None:
        # Two scores of 0.9, one right: 2/4 * |0.5 - 0.9|; two of 0.1, none present: 2/4 * 0.1
        found = calibration.ece(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[1.0, 0.0], [0.0, 0.0]]), True)
        self.assertAlmostEqual(found, 0.25)


class Curve(unittest.TestCase):
    def test_points_ascend_and_each_holds(self) -> None:
        dice = np.random.default_rng(2)
        scores = dice.random(997)
        is_right = dice.random(997) < scores
        points = calibration.curve(scores, is_right)
        self.assertEqual(points[0]["coverage"], 1.0)
        self.assertEqual(len(points), calibration.CURVE_POINTS)
        for point in points:
            inside = scores >= point["at_least"]
            self.assertAlmostEqual(point["coverage"], inside.mean(), places=5)
            self.assertAlmostEqual(point["accuracy"], is_right[inside].mean(), places=5)
        ascending = [point["at_least"] for point in points]
        self.assertEqual(ascending, sorted(set(ascending)))

    def test_equal_scores_make_one_point(self) -> None:
        points = calibration.curve(np.full(10, 0.25), np.arange(10) < 5)
        self.assertEqual(points, [{"at_least": 0.25, "coverage": 1.0, "accuracy": 0.5}])


class Abstaining(unittest.TestCase):
    def test_coverage(self) -> None:
        scores = np.array([0.9, 0.1, 0.5, 0.7])
        self.assertEqual([thresholds.for_coverage(scores, share) for share in (0.25, 0.5, 0.99)], [0.9, 0.7, 0.1])

    def test_precision_is_that_of_the_intervals_lower_end(self) -> None:
        # 200 right ones at 0.8, then 100 of which half are right at 0.3: 0.981 and 0.787 for sure
        scores = np.repeat([0.8, 0.3], [200, 100])
        is_right = np.concatenate([np.ones(200, bool), np.arange(100) < 50])
        self.assertEqual(thresholds.for_precision(scores, is_right, 0.98), 0.8)
        self.assertEqual(thresholds.for_precision(scores, is_right, 0.78), 0.3)
        with self.assertRaisesRegex(UserError, "abstain_precision = 0.99: .* more than 0.981"):
            thresholds.for_precision(scores, is_right, 0.99)


class PerLabel(unittest.TestCase):
    def test_best_f1_lies_between_two_scores(self) -> None:
        found = thresholds.best_of_label(np.array([0.9, 0.4, 0.3, 0.1]), np.array([1.0, 1.0, 0.0, 0.0]))
        self.assertAlmostEqual(found, 0.35)

    def test_macro_f1_by_hand(self) -> None:
        given = np.array([[1, 0, 0], [1, 1, 0]], bool)
        self.assertAlmostEqual(thresholds.macro_f1(given, np.array([[1, 1, 0], [0, 1, 0]])), (2 / 3 + 2 / 3) / 2)

    def test_shifted_labels_get_their_own_threshold_and_rare_ones_the_common_one(self) -> None:
        dice = np.random.default_rng(3)
        chances = np.array([0.3, 0.3, 0.004])
        truth = (dice.random((3000, 3)) < chances).astype(np.float32)
        centre = np.array([[0.1, 0.55, 0.1], [0.3, 0.85, 0.3]])
        scores = np.clip(np.where(truth > 0, centre[1], centre[0]) + dice.normal(0, 0.03, truth.shape), 0, 1)
        found = thresholds.per_label(scores, truth, texts_min=20, weight=20)
        self.assertEqual(found.chosen, "per label")
        self.assertGreater(found.macro_f1["per label"], found.macro_f1["0.5"] + 0.1)
        self.assertAlmostEqual(found.thresholds[1], 0.7, delta=0.05)
        self.assertLess((truth[:, 2] > 0).sum(), 20)
        self.assertEqual(found.thresholds[2], thresholds.common(scores, truth))

    def test_nothing_is_tuned_where_nothing_is_to_be_learnt(self) -> None:
        dice = np.random.default_rng(4)
        truth = (dice.random((400, 5)) < 0.3).astype(np.float32)
        scores = np.clip(np.where(truth > 0, 0.95, 0.05) + dice.normal(0, 0.01, truth.shape), 0, 1)
        found = thresholds.per_label(scores, truth, texts_min=20, weight=20)
        self.assertEqual((found.chosen, set(found.thresholds)), ("0.5", {0.5}))


if __name__ == "__main__":
    unittest.main()
