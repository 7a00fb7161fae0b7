"""Intervals, rankings and comparisons against scipy, scikit-learn and examples worked by hand."""

import unittest

import numpy as np
from scipy.stats import beta, norm
from sklearn import metrics as reference

from labelstream_train.evaluate import single
from labelstream_train.statistics import intervals, ranking
from labelstream_train.statistics.compare import compare, mcnemar
from labelstream_train.statistics.intervals import Draws

from .toy_scores import toy, toy_sets


class Ranking(unittest.TestCase):
    def test_agrees_with_scikit_learn_also_with_ties(self) -> None:
        for digits in (8, 1):
            rows, truth = toy(300, 2, 3)
            scores, wanted = rows[:, 1].round(digits), truth == 1
            area, average, false_rate = ranking.statistic(scores, wanted)(np.ones((1, 300), np.float32))[0]
            self.assertAlmostEqual(area, reference.roc_auc_score(wanted, scores), 6)
            self.assertAlmostEqual(average, reference.average_precision_score(wanted, scores), 6)
            rates, hits, _ = reference.roc_curve(wanted, scores, drop_intermediate=False)
            self.assertAlmostEqual(false_rate, rates[np.argmax(hits >= 0.95 - 1e-9)], 6)

    def test_weights_are_repeats(self) -> None:
        rows, truth = toy(60, 2, 4)
        drawn = np.random.default_rng(0).integers(0, 4, 60)
        weighted = ranking.statistic(rows[:, 1], truth == 1)(drawn[None].astype(np.float32))[0]
        long_scores, long_truth = np.repeat(rows[:, 1], drawn), np.repeat(truth == 1, drawn)
        repeated = ranking.statistic(long_scores, long_truth)(np.ones((1, len(long_truth)), np.float32))[0]
        np.testing.assert_allclose(weighted, repeated, rtol=1e-6)

    def test_delong(self) -> None:
        rows, truth = toy(400, 2, 5)
        scores = rows[:, 1]
        found = intervals.auroc(scores[truth == 1], scores[truth == 0])
        self.assertAlmostEqual(found.value, reference.roc_auc_score(truth, scores))
        drawn = intervals.bootstrap(ranking.statistic(scores, truth == 1), truth, Draws(4000, 0))[0]
        self.assertAlmostEqual(found.low, drawn.low, delta=0.006)
        self.assertAlmostEqual(found.high, drawn.high, delta=0.006)
        perfect = intervals.auroc(np.arange(5.0) + 9, np.arange(7.0))
        self.assertEqual((perfect.value, perfect.high), (1.0, 1.0))
        self.assertAlmostEqual(perfect.low, float(beta.ppf(0.025, 5, 1)))


class Intervals(unittest.TestCase):
    def test_textbook_values(self) -> None:
        # Newcombe 1998, table II, method 10, contrast (a): 56/70 against 48/80 is 0.0524 to 0.3339.
        found = intervals.difference(56, 70, 48, 80)
        self.assertAlmostEqual(found.low, 0.0524, 4)
        self.assertAlmostEqual(found.high, 0.3339, 4)
        # Fagerland et al. 2013, airway hyper-responsiveness: 1 and 7 discordant, exact 0.070, mid-p 0.039.
        exact, mid = mcnemar(1, 7)
        self.assertAlmostEqual(exact, 0.0703, 4)
        self.assertAlmostEqual(mid, 0.0391, 4)
        self.assertEqual(mcnemar(0, 0), (1.0, 1.0))
        self.assertEqual(mcnemar(4, 4), (1.0, 1.0))

    def test_paired_difference_by_hand(self) -> None:
        before = np.array([True] * 20 + [False] * 5 + [True] * 75)
        after = np.array([False] * 20 + [True] * 5 + [True] * 75)
        found = intervals.paired_difference(before, after)
        self.assertAlmostEqual(found.value, -0.15)
        up, down = 6 / 102, 21 / 102
        half = norm.ppf(0.975) * np.sqrt((up + down - (up - down) ** 2) / 102)
        self.assertAlmostEqual(found.low, up - down - half)
        same = intervals.paired_difference(before, before)
        self.assertLess(same.low, 0)
        self.assertGreater(same.high, 0)

    def test_of_nothing_is_everything(self) -> None:
        self.assertEqual((intervals.share(0, 0).low, intervals.share(0, 0).high), (0.0, 1.0))
        self.assertEqual((intervals.share(0, 9).low, intervals.share(9, 9).high), (0.0, 1.0))

    def test_draws_keep_strata_and_seeds(self) -> None:
        strata = np.array([2, 0, 0, 1, 2, 2])
        drawn = intervals.weights(strata, 500, 1)
        for value, size in ((0, 2), (1, 1), (2, 3)):
            self.assertTrue((drawn[:, strata == value].sum(axis=1) == size).all())
        np.testing.assert_allclose(drawn.mean(axis=0), 1.0, atol=0.15)
        np.testing.assert_array_equal(drawn, intervals.weights(strata, 500, 1))
        self.assertFalse((drawn == intervals.weights(strata, 500, 2)).all())

    def test_bootstrap_of_a_mean_is_near_the_normal_interval(self) -> None:
        values = np.random.default_rng(0).normal(size=(2000, 1))
        found = intervals.bootstrap(lambda weights: weights @ values / 2000, np.zeros(2000, int), Draws(4000, 0))[0]
        self.assertAlmostEqual(found.low, values.mean() - 1.96 / np.sqrt(2000), delta=0.003)
        self.assertAlmostEqual(found.high, values.mean() + 1.96 / np.sqrt(2000), delta=0.003)

    def test_macro_f1_holds_what_it_promises(self) -> None:
        rows, truth = toy(40_000, 5, 9)
        wanted = reference.f1_score(truth, rows.argmax(axis=1), average="macro")
        held = 0
        for place in range(100):
            part = slice(place * 400, place * 400 + 400)
            found = single.estimates(rows[part], rows[part], truth[part], Draws(200, place))["macro_f1"]
            held += found.low <= wanted <= found.high
        self.assertGreaterEqual(held, 88)  # 95 of 100 expected; under 88 has a chance of 1 in 800

    def test_a_perfect_figure_of_few_texts_is_not_certain(self) -> None:
        truth = np.repeat([0, 1, 2], 5)
        rows = np.eye(3)[truth]
        found = single.estimates(rows, rows, truth, Draws(200))["macro_f1"]
        self.assertEqual((found.value, found.high), (1.0, 1.0))
        self.assertAlmostEqual(found.low, 0.7961, 4)  # Wilson, 15 of 15
        row = single.classes(rows, truth, list("abc"), Draws(200))[0]
        self.assertAlmostEqual(row["f1"].low, row["recall"].low)
        spread = intervals.Estimate(0.5, 0.4, 0.6, 9, "bootstrap")
        self.assertEqual(intervals.with_width(spread, 9), spread)

    def test_quantile(self) -> None:
        values = np.arange(1.0, 1001.0)
        found = intervals.quantile(values, 0.5)
        self.assertAlmostEqual(found.value, 500.5)
        self.assertEqual((found.low, found.high), (469.0, 532.0))  # binomial(1000, 1/2) at 2.5 and 97.5 %: 469 and 531
        self.assertIn("cut", intervals.quantile(np.arange(50.0), 0.99).method)


class Comparing(unittest.TestCase):
    def test_a_better_and_a_worse_challenger(self) -> None:
        dice = np.random.default_rng(0)
        rows, truth = toy(2000)
        worse = rows + 0.6 * dice.random(rows.shape)
        found = compare(rows, worse, truth, draws=Draws(300))
        self.assertLess(found.accuracy_difference.high, 0)
        self.assertFalse(found.not_worse(0.0))
        self.assertIn("challenger worse", found.sentence())
        self.assertTrue(compare(worse, rows, truth, draws=Draws(300)).not_worse(0.0))
        self.assertTrue(compare(rows, rows, truth, draws=Draws(300)).not_worse(0.005))
        self.assertEqual(compare(rows, rows, truth, draws=Draws(300)).p_mid, 1.0)
        self.assertAlmostEqual(
            found.macro_f1_difference.value,
            reference.f1_score(truth, worse.argmax(axis=1), average="macro")
            - reference.f1_score(truth, rows.argmax(axis=1), average="macro"),
            6,
        )

    def test_label_sets(self) -> None:
        rows, wanted = toy_sets()
        found = compare(
            rows, rows, wanted.astype(np.float32), thresholds=[0.5] * 4, champion_thresholds=0.99, draws=Draws(200)
        )
        self.assertGreater(found.micro_f1_difference.low, 0)
