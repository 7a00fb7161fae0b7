"""Figures of evaluation against scikit-learn, scipy and examples worked by hand; intervals against their promise."""

import unittest
import warnings

import numpy as np
from scipy.stats import beta, norm
from sklearn import metrics as reference

from labelstream_train.data.examples import Example
from labelstream_train.evaluate import abstain, calibration, multi, out_of_scope, single, slices
from labelstream_train.statistics import intervals, ranking
from labelstream_train.statistics.compare import compare, mcnemar
from labelstream_train.statistics.intervals import Draws
from labelstream_train.statistics.metrics import ece, nll, softmax


def toy(count: int = 400, labels: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and true labels that hang together."""
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, labels, count)
    logits = dice.normal(size=(count, labels)) + 1.5 * (truth[:, None] == np.arange(labels))
    return softmax(logits), truth


def toy_sets(count: int = 300, labels: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and label sets that hang together; the last label is rare."""
    dice = np.random.default_rng(seed)
    wanted = dice.random((count, labels)) < np.array([0.5, 0.4, 0.3, 0.05])[:labels]
    return 1 / (1 + np.exp(-(dice.normal(size=(count, labels)) + 2 * wanted - 1))), wanted


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
