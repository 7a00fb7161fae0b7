"""Which epoch is taken: the latest that held-out texts cannot tell from the best."""

import importlib.util
import unittest


def row(epoch: int, plain: float, average: float = 0.0) -> dict:
    """Figures of one epoch; the averaged weights have the lower NLL."""
    return {"epoch": epoch, "plain_accuracy": plain, "plain_nll": 0.5, "average_accuracy": average, "average_nll": 0.4}


@unittest.skipUnless(importlib.util.find_spec("torch"), "torch is not installed")
class Choose(unittest.TestCase):
    def check(self, history: list[dict], texts: int, expected: tuple[int, str]) -> None:
        from labelstream_train.encoder.training import choose

        found = choose(history, texts)
        self.assertEqual((found["epoch"], found["weights"]), expected)

    def test_latest_within_one_standard_error(self) -> None:
        # sqrt(0.9 * 0.1 / 100) = 0.03
        self.check([row(1, 0.8), row(2, 0.9), row(3, 0.88), row(4, 0.86)], 100, (3, "plain"))
        self.check([row(1, 0.8), row(2, 0.9), row(3, 0.88), row(4, 0.86)], 10_000, (2, "plain"))

    def test_weights_by_accuracy_then_nll(self) -> None:
        self.check([row(1, 0.8, 0.9)], 100, (1, "average"))
        self.check([row(1, 0.9, 0.8)], 100, (1, "plain"))
        self.check([row(1, 0.9, 0.9)], 100, (1, "average"))
