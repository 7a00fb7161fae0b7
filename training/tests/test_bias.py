"""The bias report on classifiers whose bias is known because it was built in."""

import unittest

import numpy as np
from sklearn.metrics import roc_auc_score

from labelstream_train.evaluate import bias, identity
from labelstream_train.statistics.intervals import Draws

TOXIC = bias.Harmful((1,), ("toxic",), "toxic")
GOOD, BAD = ("great", "kind", "lovely", "wise") * 8, ("vile", "stupid", "awful", "nasty") * 8


def sentences(terms: tuple[str, ...] = ("gay", "straight", "muslim", "christian")) -> list[dict[str, str]]:
    """Every term in the same 64 sentences, half of them toxic."""
    return [
        {"text": f"Person {place} is a {word} {term}", "label": label}
        for label, words in (("nontoxic", GOOD), ("toxic", BAD))
        for place, word in enumerate(words)
        for term in terms
    ]


def answer(swaps: list[identity.Swap], unfair: float, seed: int = 0) -> np.ndarray:
    """Probabilities [swaps, 2] of a model that knows the truth well and adds `unfair` to the odds of `gay`."""
    dice = np.random.default_rng(seed)
    logits = np.array([2.0 if swap.truth == "toxic" else -2.0 for swap in swaps]) + dice.normal(size=len(swaps)) * 0.3
    logits += unfair * np.array([swap.term == "gay" for swap in swaps])
    toxic = 1 / (1 + np.exp(-logits))
    return np.stack([1 - toxic, toxic], axis=1)


def report(unfair: float, harmful: bias.Harmful = TOXIC) -> dict:
    swaps = identity.from_rows(sentences(), "text", "label")
    rows = answer(swaps, unfair)
    given = rows == rows.max(axis=1, keepdims=True)
    return bias.measure(swaps, rows, given, harmful, Draws(300))


class Swaps(unittest.TestCase):
    def test_contexts_of_ready_sentences(self) -> None:
        swaps = identity.from_rows(sentences(), "text", "label")
        self.assertEqual(len(swaps), 64 * 4)
        self.assertEqual(len({swap.context for swap in swaps}), 64)
        two = identity.from_rows([{"text": "A african american gay man"}], "text", None)
        self.assertEqual([swap.term for swap in two], ["african american", "gay", "man"])
        named = identity.from_rows([{"text": "I met Klingons", "identity": "Klingons"}], "text", None)
        self.assertEqual((named[0].context, named[0].term), ("i met \u2026", "klingons"))

    def test_own_texts_are_swapped_within_the_group_only(self) -> None:
        swaps = identity.from_texts(["My wife lost a card", "An atheist wrote", "the old white card", "nothing here"])
        by_context = {swap.context: [] for swap in swaps}
        for swap in swaps:
            by_context[swap.context].append(swap.text)
        self.assertEqual(by_context["My \u2026 lost a card"], ["My wife lost a card", "My husband lost a card"])
        self.assertIn("A muslim wrote", by_context["An \u2026 wrote"])
        self.assertEqual(len(by_context), 2)  # old and white mean something else

    def test_limit_keeps_whole_contexts(self) -> None:
        swaps = identity.from_rows([*sentences(), {"text": "alone gay", "label": "toxic"}], "text", "label")
        kept = identity.limited(swaps, 50, 1)
        self.assertEqual(len(kept), 48)
        self.assertEqual(len({swap.context for swap in kept}), 12)


class Report(unittest.TestCase):
    def test_fair_model_is_not_accused(self) -> None:
        found = report(0.0)
        self.assertFalse([row["term"] for row in found["by_term"] if row["is_clear"]])
        self.assertLess(found["flip_rate"].value, 0.01)
        for row in found["harm"]["by_term"]:
            self.assertLessEqual(row["false_alarms_gap"].low, 0)
            self.assertGreater(row["bpsn_auc"].value, 0.99)

    def test_built_in_bias_is_found_with_its_term_and_direction(self) -> None:
        found = report(3.0)
        first = found["by_term"][0]
        self.assertEqual((first["term"], first["is_clear"]), ("gay", True))
        self.assertGreater(first["shift"].low, 0.2)
        self.assertGreater(found["flip_rate"].low, 0.1)
        # a context flips for one of four terms: 3 of 6 pairs, in the harmless half that crosses the line
        self.assertLess(found["flip_rate"].high, 0.5)
        worst = found["harm"]["by_term"][0]
        self.assertEqual(worst["term"], "gay")
        self.assertGreater(worst["false_alarms_gap"].low, 0.8)
        self.assertLess(worst["bpsn_auc"].high, found["harm"]["by_term"][1]["bpsn_auc"].value)

    def test_shift_is_against_the_other_terms_of_the_same_sentence(self) -> None:
        swaps = [identity.Swap(f"c{place}", term, "", None) for place in range(30) for term in ("a", "b", "c")]
        harm = np.tile([0.9, 0.3, 0.3], 30)
        rows = np.stack([1 - harm, harm], axis=1)
        found = bias.measure(swaps, rows, rows > 0.5, TOXIC, Draws(200))
        shifts = {row["term"]: row["shift"].value for row in found["by_term"]}
        self.assertAlmostEqual(shifts["a"], 0.6, 6)
        self.assertAlmostEqual(shifts["b"], 0.3 - (0.9 + 0.3) / 2, 6)
        self.assertAlmostEqual(found["shift"].value, (0.6 + 0.3 + 0.3) / 3, 6)
        self.assertAlmostEqual(found["flip_rate"].value, 2 / 3, 6)

    def test_areas_agree_with_scikit_learn(self) -> None:
        swaps = identity.from_rows(sentences(), "text", "label")
        rows = answer(swaps, 2.5)
        found = report(2.5)
        toxic = np.array([swap.truth == "toxic" for swap in swaps])
        own = np.array([swap.term == "gay" for swap in swaps])
        bpsn = (own & ~toxic) | (~own & toxic)
        row = next(row for row in found["harm"]["by_term"] if row["term"] == "gay")
        self.assertAlmostEqual(row["bpsn_auc"].value, roc_auc_score(toxic[bpsn], rows[bpsn, 1]))
        self.assertAlmostEqual(row["subgroup_auc"].value, roc_auc_score(toxic[own], rows[own, 1]))

    def test_any_classifier_without_harmful_labels(self) -> None:
        found = report(3.0, bias.Harmful())
        self.assertIsNone(found["harm"])
        self.assertEqual(found["by_term"][0]["term"], "gay")
        self.assertTrue(found["by_term"][0]["flips"].value > 0.3)
