"""Near duplicates: the pairs of the slow obvious way are found, and no others; a template costs little."""

import random
import unittest
from itertools import combinations

from labelstream_train.validate.similar import FRAME, RUN, pairs


def _runs(text: str) -> set[str]:
    framed = FRAME + text + FRAME
    return {framed[start : start + RUN] for start in range(len(framed) - RUN + 1)}


def _slow(texts: list[str], similarity: float) -> dict[tuple[int, int], float]:
    runs = [_runs(text) for text in texts]
    found = {}
    for one, other in combinations(range(len(texts)), 2):
        jaccard = len(runs[one] & runs[other]) / len(runs[one] | runs[other])
        if jaccard >= similarity:
            found[one, other] = jaccard
    return found


def _texts(count: int, seed: int) -> list[str]:
    """Random words; every third text is an earlier one with some of its letters changed."""
    dice = random.Random(seed)
    words = ["".join(dice.choices("abcdefghij", k=dice.randint(3, 8))) for _ in range(80)]
    texts: list[str] = []
    for place in range(count):
        if place % 3 == 2:
            letters = list(dice.choice(texts))
            for _ in range(dice.randint(1, 3)):
                letters[dice.randrange(len(letters))] = dice.choice("xyz")
            texts.append("".join(letters))
        else:
            texts.append(" ".join(dice.choices(words, k=dice.randint(4, 15))))
    return list(dict.fromkeys(texts))


class SimilarTest(unittest.TestCase):
    def test_agrees_with_comparing_all_with_all(self) -> None:
        for seed in range(5):
            texts = _texts(200, seed)
            expected = _slow(texts, 0.8)
            self.assertGreater(len(expected), 10)
            places, similarities = pairs(texts, 0.8)
            found = dict(zip(map(tuple, places.tolist()), similarities.tolist(), strict=True))
            self.assertEqual(found.keys(), expected.keys())
            for pair, similarity in found.items():
                self.assertAlmostEqual(similarity, expected[pair], places=6)

    def test_every_text_of_a_template_gets_a_neighbour_without_a_million_pairs(self) -> None:
        texts = [f"your order number {number:04d} is on its way and comes on monday morning" for number in range(1000)]
        places, _ = pairs(texts, 0.8)
        self.assertEqual(set(places.ravel().tolist()), set(range(1000)))
        self.assertLess(len(places), 1000 * 200)

    def test_edges(self) -> None:
        for texts in ([], ["one"], ["", "a"], ["a", "b", "ab"]):
            self.assertEqual(len(pairs(texts, 0.8)[0]), 0, texts)
        self.assertEqual(pairs(["same words here", "same words here"], 1.0)[0].tolist(), [[0, 1]])


if __name__ == "__main__":
    unittest.main()
