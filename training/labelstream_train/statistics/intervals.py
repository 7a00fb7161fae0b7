"""Estimates: a value, its 95 % interval, and the number of things counted.

Shares have Wilson's interval, differences of shares have closed forms, areas under a ROC curve have DeLong's. All else
is bootstrapped: seeded, stratified, and computed on many draws at once.
"""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import beta, binom, norm, rankdata

from .metrics import wilson

Z = float(norm.ppf(0.975))
"""Two-sided 95 %."""

CELLS_MAX = 2_000_000
"""Weights computed at once, which keeps a bootstrap within about 100 MB."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights [draws, items], how often each item was drawn -> values [draws] or [draws, k]."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`n` is what was counted (texts, pairs or calls); `method` names the interval."""

    value: float
    low: float
    high: float
    n: int
    method: str

    def as_dict(self) -> dict[str, float | int | str]:
        """As in report.json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Draws:
    """How many bootstrap samples, and the seed that fixes them."""

    repeats: int = 1000
    seed: int = 0


def share(hits: int, count: int) -> Estimate:
    """A proportion with Wilson's (1927) score interval, which stays inside 0..=1; if `count` is 0: 0 to 1."""
    if count == 0:
        return Estimate(float("nan"), 0.0, 1.0, 0, "none")
    value = hits / count
    low, high = wilson(value, count)
    return Estimate(value, max(0.0, low), min(1.0, high), count, "wilson")


def difference(hits: int, count: int, other_hits: int, other_count: int) -> Estimate:
    """Share minus another, independent share: Newcombe's hybrid score interval (1998, method 10)."""
    first, second = share(hits, count), share(other_hits, other_count)
    if not (count and other_count):
        return Estimate(float("nan"), -1.0, 1.0, min(count, other_count), "none")
    value = first.value - second.value
    below = np.hypot(first.value - first.low, second.high - second.value)
    above = np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, float(value - below), float(value + above), count, "newcombe")


def paired_difference(before: np.ndarray, after: np.ndarray) -> Estimate:
    """Share of `after` minus share of `before` for the same things; [n] bool each.

    Adjusted Wald interval with one added to each kind of discordant pair (Bonett and Price 2012,
    equation 2), so that the interval has a width without discordant pairs.
    """
    count = len(before)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    up, down = (gained + 1) / (count + 2), (lost + 1) / (count + 2)
    half = Z * np.sqrt((up + down - (up - down) ** 2) / (count + 2))
    low, high = max(-1.0, up - down - half), min(1.0, up - down + half)
    return Estimate((gained - lost) / count, float(low), float(high), count, "bonett-price")


def auroc(positive: np.ndarray, negative: np.ndarray) -> Estimate:
    """Chance that a positive's score is above a negative's, ties half; DeLong (1988) on the logit scale.

    At exactly 0 or 1, DeLong's interval has no width: then it is that of a share with as many trials as the smaller
    class has (Clopper and Pearson), which is conservative.
    """
    ups, downs = len(positive), len(negative)
    if min(ups, downs) == 0:
        return Estimate(float("nan"), 0.0, 1.0, 0, "none")
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:ups] - rankdata(positive)) / downs
    below = 1 - (ranks[ups:] - rankdata(negative)) / ups
    value = float(above.mean())
    few = min(ups, downs)
    if few < 2 or value in (0.0, 1.0):
        hits = value * few
        low = float(beta.ppf(0.025, hits, few - hits + 1)) if hits > 0 else 0.0
        high = float(beta.ppf(0.975, hits + 1, few - hits)) if hits < few else 1.0
        return Estimate(value, low, high, ups + downs, "clopper-pearson")
    width = Z * np.sqrt(above.var(ddof=1) / ups + below.var(ddof=1) / downs) / (value * (1 - value))
    centre = np.log(value / (1 - value))
    low, high = (1 / (1 + np.exp(-(centre + side * width))) for side in (-1, 1))
    return Estimate(value, float(low), float(high), ups + downs, "delong")


def weights(strata: np.ndarray, count: int, seed: int) -> np.ndarray:
    """[count, items] f32: how often each item falls into a sample drawn with replacement within its stratum.

    `strata` is [items] int. All draws of all strata are counted in one pass.
    """
    dice = np.random.default_rng(seed)
    items = len(strata)
    order = np.argsort(strata, kind="stable")
    _, starts, counts = np.unique(strata[order], return_index=True, return_counts=True)
    start, size = np.repeat(starts, counts), np.repeat(counts, counts)
    chosen = order[start + (dice.random((count, items)) * size).astype(np.int64)]
    flat = (chosen + np.arange(count)[:, None] * items).ravel()
    return np.bincount(flat, minlength=count * items).reshape(count, items).astype(np.float32)


def replicates(statistic: Statistic, strata: np.ndarray, draws: Draws) -> np.ndarray:
    """The statistic of each bootstrap sample: [repeats, k], computed in chunks of bounded size."""
    step = max(1, CELLS_MAX // max(1, len(strata)))
    parts = []
    for piece, start in enumerate(range(0, draws.repeats, step)):
        drawn = weights(strata, min(step, draws.repeats - start), draws.seed * 1_000_003 + piece)
        parts.append(np.asarray(statistic(drawn)).reshape(len(drawn), -1))
    return np.concatenate(parts)


def bootstrap(statistic: Statistic, strata: np.ndarray, draws: Draws, centred: bool = False) -> list[Estimate]:
    """One estimate per value of the statistic, with the percentile interval of its replicates.

    `centred` first subtracts the bootstrap's bias: an error that is a sum of absolute values (calibration error) is
    larger in every sample than in its source, so a plain percentile interval would lie above the value. Such an error
    cannot be negative, so its interval is clipped at 0.
    """
    count = len(strata)
    value = np.atleast_1d(np.asarray(statistic(np.ones((1, count), np.float32)))[0])
    drawn = replicates(statistic, strata, draws)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column may be NaN throughout
        if centred:
            drawn = drawn - (np.nanmean(drawn, axis=0) - value)
        low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    if centred:
        low, high = np.maximum(low, 0.0), np.maximum(high, 0.0)
    method = "bootstrap, centred" if centred else "bootstrap"
    return [Estimate(float(v), float(a), float(b), count, method) for v, a, b in zip(value, low, high, strict=True)]


def with_width(estimate: Estimate, trials: float) -> Estimate:
    """`estimate`, in 0..=1, with Wilson's interval of so many trials if no draw differed from it.

    A bootstrap of a value of 0 or 1 has no width: 15 of 15 right would seem certain.
    """
    if not (estimate.high - estimate.low < 1e-9 and trials >= 1):
        return estimate
    low, high = wilson(min(1.0, max(0.0, estimate.value)), trials)
    method = f"wilson of {trials:.0f}, as no draw differed"
    return Estimate(estimate.value, max(0.0, low), min(1.0, high), estimate.n, method)


def quantile(values: np.ndarray, level: float) -> Estimate:
    """A quantile with the order statistics that bracket it with 95 % (binomial, distribution-free).

    With too few values, the upper bound is the largest value, and the method says so.
    """
    ordered = np.sort(values)
    count = len(ordered)
    low = int(binom.ppf(0.025, count, level))
    high = int(binom.ppf(0.975, count, level))
    method = "order statistics" if high < count else "order statistics, upper bound cut at the largest value"
    return Estimate(
        float(np.quantile(ordered, level)),
        float(ordered[max(0, low - 1)]),
        float(ordered[min(count - 1, high)]),
        count,
        method,
    )
