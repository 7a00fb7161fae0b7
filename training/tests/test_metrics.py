"""Each figure against an example worked by hand."""

import unittest

import numpy as np

from labelstream_train.package import calibration
from labelstream_train.statistics import metrics


class Figures(unittest.TestCase):
    def test_accuracy_and_macro_f1(self) -> None:
        scores = np.eye(3)[[0, 0, 1, 1]]
        truth = np.array([0, 1, 1, 1])
        self.assertEqual(metrics.accuracy(scores, truth), 0.75)
        # label 0: tp 1, fp 1 -> 2/3; label 1: tp 2, fn 1 -> 4/5; label 2 does not occur.
        self.assertAlmostEqual(metrics.macro_f1(scores, truth), (2 / 3 + 4 / 5) / 2)

    def test_ece(self) -> None:
        rows = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 2 + [[1.0, 0.0]])
        truth = np.array([0, 0, 0, 1, 0, 0, 0])
        # 4/7 * |0.75 - 0.9| + 2/7 * |1 - 0.6| + 1/7 * |1 - 1|
        self.assertAlmostEqual(metrics.ece(rows, truth), 4 / 7 * 0.15 + 2 / 7 * 0.4)

    def test_wilson(self) -> None:
        low, high = metrics.wilson(0.5, 100)  # the textbook's 0.404 to 0.596
        self.assertAlmostEqual(low, 0.40383, places=4)
        self.assertAlmostEqual(high, 0.59617, places=4)
        self.assertLess(metrics.wilson(1.0, 10)[0], 1.0)
        self.assertAlmostEqual(metrics.wilson(1.0, 10)[1], 1.0)

    def test_softmax_survives_large_logits(self) -> None:
        row = metrics.softmax(np.array([[1e4, 1e4 - 1, -1e4]], np.float32))[0]
        self.assertAlmostEqual(row.sum(), 1.0)
        self.assertAlmostEqual(row[0], 1 / (1 + np.exp(-1.0)))

    def test_temperature_is_found_again(self) -> None:
        dice = np.random.default_rng(0)
        logits = dice.normal(size=(20_000, 5)) * 2
        drawn = metrics.softmax(logits, 1.0).cumsum(axis=1) > dice.random((20_000, 1))
        truth = drawn.argmax(axis=1)  # labels drawn from the model's own probabilities
        for factor in (0.5, 1.0, 3.0):
            found = calibration.fit_temperature(logits * factor, truth, False)
            self.assertAlmostEqual(found / factor, 1.0, delta=0.05)
