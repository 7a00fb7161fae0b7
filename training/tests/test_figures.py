"""Figures of evaluation against scikit-learn, scipy and examples worked by hand; intervals against their promise."""

import unittest
import warnings

import numpy as np
from sklearn import metrics as reference

from labelstream_train.data.examples import Example
from labelstream_train.evaluate import abstain, calibration, multi, out_of_scope, single, slices
from labelstream_train.statistics import intervals
from labelstream_train.statistics.intervals import Draws
from labelstream_train.statistics.metrics import ece, nll, softmax

from .toy_scores import toy, toy_sets


class Single(unittest.TestCase):
    def test_agrees_with_scikit_learn(self) -> None:
        rows, truth = toy()
        guess = rows.argmax(axis=1)
        found = single.estimates(rows, rows, truth, Draws(200, 0))
        for name, average in (("macro_f1", "macro"), ("micro_f1", "micro"), ("weighted_f1", "weighted")):
            self.assertAlmostEqual(found[name].value, reference.f1_score(truth, guess, average=average), 6, name)
        self.assertAlmostEqual(found["accuracy"].value, reference.accuracy_score(truth, guess))
        self.assertAlmostEqual(found["nll"].value, reference.log_loss(truth, rows), 5)
        self.assertAlmostEqual(found["nll"].value, nll(rows, truth), 5)
        self.assertAlmostEqual(found["calibration_error"].value, ece(rows, truth), 6)
        self.assertAlmostEqual(found["brier"].value, float(((rows - np.eye(5)[truth]) ** 2).sum(axis=1).mean()), 5)
        self.assertAlmostEqual(found["top_3"].value, reference.top_k_accuracy_score(truth, rows, k=3))
        precision, recall, f1, support = reference.precision_recall_fscore_support(truth, guess)
        for place, row in enumerate(single.classes(rows, truth, list("abcde"), Draws(200, 0))):
            self.assertAlmostEqual(row["precision"].value, precision[place])
            self.assertAlmostEqual(row["recall"].value, recall[place])
            self.assertAlmostEqual(row["f1"].value, f1[place], 6)
            self.assertEqual(row["n"], support[place])

    def test_confusions_are_the_largest_cells_off_the_diagonal(self) -> None:
        rows, truth = toy()
        matrix = single.confusion_matrix(rows, truth)
        np.testing.assert_array_equal(matrix, reference.confusion_matrix(truth, rows.argmax(axis=1)))
        first = single.confusions(matrix, list("abcde"))[0]
        off = matrix - np.diag(np.diag(matrix))
        self.assertEqual(first["n"], off.max())
        self.assertEqual(matrix["abcde".index(first["truth"]), "abcde".index(first["guess"])], first["n"])


class Multi(unittest.TestCase):
    def test_agrees_with_scikit_learn(self) -> None:
        rows, wanted = toy_sets()
        thresholds = np.array([0.5, 0.4, 0.6, 0.3])
        guess = rows >= thresholds
        found = multi.estimates(rows, rows, wanted, thresholds, Draws(200, 0))
        for name, average in (("macro_f1", "macro"), ("micro_f1", "micro"), ("weighted_f1", "weighted")):
            self.assertAlmostEqual(found[name].value, reference.f1_score(wanted, guess, average=average), 6, name)
        samples = reference.f1_score(wanted, guess, average="samples", zero_division=1.0)
        self.assertAlmostEqual(found["sample_f1"].value, samples, 6)
        self.assertAlmostEqual(found["accuracy"].value, reference.accuracy_score(wanted, guess))
        self.assertAlmostEqual(found["ranking_loss"].value, reference.label_ranking_loss(wanted, rows), 6)
        average = reference.average_precision_score(wanted, rows, average="macro")
        self.assertAlmostEqual(found["mean_average_precision"].value, average, 6)
        self.assertAlmostEqual(found["macro_auroc"].value, reference.roc_auc_score(wanted, rows, average="macro"), 6)
        for place, row in enumerate(multi.classes(rows, wanted, thresholds, list("abcd"), Draws(200, 0))):
            self.assertAlmostEqual(row["auroc"].value, reference.roc_auc_score(wanted[:, place], rows[:, place]), 6)
            average = reference.average_precision_score(wanted[:, place], rows[:, place])
            self.assertAlmostEqual(row["average_precision"].value, average, 6)
            means = [(wanted[inside, place].mean() - rows[inside, place].mean()) * inside.mean()
                     for low in range(15) if (inside := (rows[:, place] * 15).astype(int) == low).any()]  # fmt: skip
            self.assertAlmostEqual(row["calibration_error"].value, float(np.abs(means).sum()), 6)
            self.assertEqual(row["threshold"], thresholds[place])

    def test_calibration_of_pairs_by_hand(self) -> None:
        rows, wanted = np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[True, False], [False, False]])
        found = multi.estimates(rows, rows, wanted, np.array([0.5, 0.5]), Draws(200, 0))
        # 2 pairs of 0.9, one right: |0.5 - 0.9|; 2 of 0.1, none right: |0 - 0.1|; halves each.
        self.assertAlmostEqual(found["calibration_error"].value, 0.5 * 0.4 + 0.5 * 0.1)


class Calibration(unittest.TestCase):
    def test_adaptive_bins_are_equally_full(self) -> None:
        counts = np.bincount(calibration.adaptive_bins(np.random.default_rng(0).random(1000)))
        self.assertEqual(len(counts), calibration.BINS)
        self.assertLessEqual(counts.max() - counts.min(), 1)

    def test_centred_interval_holds_the_value_of_a_calibrated_model(self) -> None:
        dice = np.random.default_rng(0)
        scores = dice.uniform(0.3, 1, 3000)
        right = dice.random(3000) < scores
        statistic = calibration.error(scores, right, calibration.even_bins(scores))
        found = intervals.bootstrap(statistic, np.zeros(3000, int), Draws(500, 0), centred=True)[0]
        self.assertTrue(0 <= found.low <= found.value <= found.high)
        plain = intervals.bootstrap(statistic, np.zeros(3000, int), Draws(500, 0))[0]
        self.assertGreater(plain.low, found.low + 0.003)  # its own bias lifts it
        self.assertAlmostEqual((found.low + found.high) / 2, found.value, delta=0.003)
        self.assertAlmostEqual(calibration.error_by_chance(scores, 0), found.value, delta=0.02)

    def test_reliability_counts_every_text_once(self) -> None:
        rows, truth = toy()
        bins = calibration.reliability(rows.max(axis=1), rows.argmax(axis=1) == truth)
        self.assertEqual(sum(row["n"] for row in bins), len(truth))
        worked = sum(row["n"] * abs(row["accuracy"].value - row["confidence"]) for row in bins) / len(truth)
        self.assertAlmostEqual(worked, ece(rows, truth))


class Abstaining(unittest.TestCase):
    def test_by_hand(self) -> None:
        scores, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
        found = abstain.curve(scores, right, Draws(200, 0))
        # errors of the 1, 2, 3, 4 surest: 0, 0, 1/3, 1/4
        self.assertAlmostEqual(found["area"].value, (1 / 3 + 1 / 4) / 4)
        row = abstain.at(scores, right, 0.7)
        self.assertEqual((row["coverage"].value, row["accuracy"].value), (0.75, 2 / 3))

    def test_threshold_is_the_lowest_that_serves(self) -> None:
        scores = np.linspace(1, 0, 101)
        right = np.arange(101) != 50
        self.assertAlmostEqual(abstain.threshold_for(scores, right, 0.99), 0.0)
        self.assertAlmostEqual(abstain.threshold_for(scores, right, 0.995), scores[49])
        self.assertIsNone(abstain.threshold_for(scores[:10], right[:10], 0.5))

    def test_out_of_scope_texts_with_flat_scores_are_found(self) -> None:
        dice = np.random.default_rng(0)
        inside, outside = dice.normal(size=(300, 6)), dice.normal(size=(200, 6)) * 0.1
        inside[np.arange(300), dice.integers(0, 6, 300)] += 6
        parts = [out_of_scope.scores(each, softmax(each), 1.0, False) for each in (inside, outside)]
        found = out_of_scope.measure(*parts, np.ones(300, bool), None, Draws(200, 0))
        for row in found["scores"]:
            self.assertGreater(row["auroc"].low, 0.95, row["name"])
            self.assertGreaterEqual(row["kept"].value, 0.95)
        entropy = parts[0]["entropy"][0]
        row = softmax(inside)[0]
        self.assertAlmostEqual(entropy, float((row * np.log(row)).sum()))


class Slices(unittest.TestCase):
    def test_gap_is_against_the_whole_and_small_slices_say_so(self) -> None:
        right = np.array([True] * 90 + [False] * 10 + [False] * 8 + [True] * 2)
        rows = slices.measure(right, {"source": ["web"] * 100 + ["app"] * 10}, 30, Draws(200, 0))
        app, web = sorted(rows, key=lambda row: row["value"])
        self.assertAlmostEqual(app["gap"].value, 0.2 - right.mean())
        self.assertTrue(app["is_small"] and not web["is_small"])
        self.assertLess(app["gap"].high, 0)
        self.assertLess(app["p_adjusted"], 0.001)

    def test_lengths_languages_and_scripts(self) -> None:
        cases = {"Where is my new card, please?": "en", "Wo ist denn meine neue Karte geblieben?": "de", "ok": None}
        for text, language in cases.items():
            self.assertEqual(slices.language(text), language)
        members = slices.memberships([Example("Где моя карта", ("a",), slices={"source": "web"})], {})
        self.assertEqual((members["script"], members["source"]), (["cyrillic"], ["web"]))
        self.assertEqual(slices.length("a b c d e f"), "6 to 10 words")
        self.assertEqual(slices.length("word " * 81), "more than 80 words")


class Quiet(unittest.TestCase):
    def test_a_label_that_never_occurs_is_no_warning_and_no_figure(self) -> None:
        rows, truth = toy(100, 3)
        padded = np.column_stack([rows, np.zeros(100)])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            last = single.classes(padded, truth, list("abcd"), Draws(200, 0))[-1]
        self.assertEqual(last["n"], 0)
        self.assertTrue(np.isnan(last["f1"].value))
        self.assertEqual((last["recall"].low, last["recall"].high), (0.0, 1.0))
