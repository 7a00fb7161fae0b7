"""Compares champion and challenger on the same texts: paired, because the same texts are hard for both.

McNemar's test uses only texts that one gets right and the other wrong. The gate does not ask "is there a difference"
but "is the challenger worse by more than MARGIN", which the intervals answer.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import binom, binomtest

from . import counts
from .intervals import Draws, Estimate, bootstrap, paired_difference, share


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences are challenger minus champion. Accuracy is of whole label sets when multi-label."""

    n: int
    champion_accuracy: Estimate
    challenger_accuracy: Estimate
    accuracy_difference: Estimate
    macro_f1_difference: Estimate
    micro_f1_difference: Estimate
    only_champion_right: int
    only_challenger_right: int
    p_exact: float
    p_mid: float

    def not_worse(self, margin: float, figure: str = "accuracy_difference") -> bool:
        """Whether the 95 % interval of a difference excludes a loss of `margin` (0..=1) or more."""
        return getattr(self, figure).low > -margin

    def sentence(self) -> str:
        """What the comparison says, in one sentence."""
        gap = self.accuracy_difference
        verdict = "better" if gap.low > 0 else "worse" if gap.high < 0 else "not significantly different"
        return (
            f"challenger {verdict}: accuracy {100 * gap.value:+.2f} points "
            f"(95 % interval {100 * gap.low:+.2f} to {100 * gap.high:+.2f}, {self.n} texts, "
            f"{self.only_challenger_right} right only for the challenger, {self.only_champion_right} only for the "
            f"champion; McNemar mid-p {self.p_mid:.3g})"
        )

    def as_dict(self) -> dict:
        """As in verdict.json."""
        return asdict(self)


def compare(
    champion_scores: np.ndarray,
    challenger_scores: np.ndarray,
    truth: np.ndarray,
    thresholds: float | Sequence[float] = 0.5,
    champion_thresholds: float | Sequence[float] | None = None,
    draws: Draws = Draws(),  # noqa: B008  frozen
) -> Comparison:
    """Compares two models' probabilities [n, labels] with columns in the same order.

    `truth` is [n] int, or [n, labels] of 0/1 when multi-label: then a label is assigned if its score is
    at least its threshold (`champion_thresholds`, if the champion's differ).
    """
    if champion_scores.shape != challenger_scores.shape or len(truth) != len(champion_scores):
        raise ValueError("champion, challenger and truth must be of the same texts and labels")
    is_multi_label = truth.ndim == 2
    own = thresholds if champion_thresholds is None else champion_thresholds
    pair = [
        counts.given(champion_scores, own, is_multi_label),
        counts.given(challenger_scores, thresholds, is_multi_label),
    ]
    wanted = truth.astype(bool) if is_multi_label else counts.one_hot(truth, champion_scores.shape[1])
    before, after = ((each == wanted).all(axis=1) for each in pair)
    strata = np.zeros(len(truth), int) if is_multi_label else truth

    def f1_difference(weights: np.ndarray) -> np.ndarray:
        first, second = (counts.f1(*counts.of_draws(each, wanted, weights)) for each in pair)
        return np.stack([second.macro - first.macro, second.micro - first.micro], axis=1)

    macro, micro = bootstrap(f1_difference, strata, draws)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    exact, mid = mcnemar(lost, gained)
    return Comparison(
        len(truth),
        share(int(before.sum()), len(truth)),
        share(int(after.sum()), len(truth)),
        paired_difference(before, after),
        macro,
        micro,
        lost,
        gained,
        exact,
        mid,
    )


def mcnemar(lost: int, gained: int) -> tuple[float, float]:
    """(exact, mid-p) two-sided p of McNemar's test (Fagerland, Lydersen and Laake 2013); 1 when none differs."""
    if lost == gained:
        return 1.0, 1.0
    exact = float(binomtest(lost, lost + gained).pvalue)
    return exact, exact - float(binom.pmf(lost, lost + gained, 0.5))
