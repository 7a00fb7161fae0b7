"""Identity-swap bias: how predictions change if only the identity term of a text is swapped.

For every classifier: label flips and score shifts within contexts. If labels mean harm (toxicity and the like): false
alarm and miss rates by term, and the AUCs of Borkan et al. 2019 (Nuanced metrics for measuring unintended bias). It
cannot show harm that is the same for all terms, or terms and sentences that the data does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control, wilcoxon

from ..statistics.intervals import Draws, Estimate, auroc, bootstrap, difference, share, with_width
from .identity import Swap

CONTEXTS_MIN = 20
"""A term with fewer contexts is not judged; from here on Wilcoxon's normal approximation is good enough."""

ALPHA = 0.05
"""False discovery rate among the reported terms (Benjamini and Hochberg 1995)."""


@dataclass(frozen=True, slots=True)
class Harmful:
    """The package's labels that mean harm, by column and by name, and the label of the sentences that means it."""

    columns: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    truth: str = ""


def measure(
    swaps: Sequence[Swap], probabilities: np.ndarray, given: np.ndarray, harmful: Harmful, draws: Draws
) -> dict:
    """{texts, contexts, terms: count, flip_rate: estimate, shift: estimate, by_term: [{term, n, flips, shift, p,
    p_adjusted, is_clear, is_small}], harm: null or see `_harm`}.

    `probabilities` and `given` (bool) are [swaps, labels]. `flip_rate` is the chance that two terms of a context get
    different labels. A `shift` is of the probability of harm, or without harmful labels of the context's most usual
    label; a term's is against the mean of the other terms of the same context, the whole's the mean absolute one.
    """
    contexts = np.unique([swap.context for swap in swaps], return_inverse=True)[1]
    terms, term_of = np.unique([swap.term for swap in swaps], return_inverse=True)
    answers = np.unique(given, axis=0, return_inverse=True)[1].reshape(-1)
    usual = _usual(contexts, answers)
    harm_scores = _harm_score(probabilities, harmful.columns)
    target = harm_scores if harmful.columns else _usual_probability(probabilities, contexts, usual)
    shifts = _against_others(target, contexts)
    rows = [
        _term(str(term), answers != usual, shifts, np.flatnonzero(term_of == place), draws)
        for place, term in enumerate(terms)
    ]
    tested = [row for row in rows if row["p"] is not None]
    for row, adjusted in zip(
        tested, false_discovery_control([row["p"] for row in tested]) if tested else [], strict=True
    ):
        row["p_adjusted"] = float(adjusted)
        row["is_clear"] = bool(adjusted < ALPHA)
    flip, shift = _overall(contexts, answers, shifts, draws)
    harm = None
    if harmful.columns and any(swap.truth is not None for swap in swaps):
        is_harm = np.array([swap.truth == harmful.truth for swap in swaps])
        harm = _harm(
            harm_scores, given[:, harmful.columns].any(axis=1), is_harm, term_of, [str(term) for term in terms]
        )
    rows.sort(key=lambda row: -abs(row["shift"].value))
    return {
        "texts": len(swaps),
        "contexts": int(contexts.max()) + 1,
        "terms": len(terms),
        "target": ", ".join(harmful.labels) or None,
        "flip_rate": flip,
        "shift": shift,
        "by_term": rows,
        "harm": harm,
    }


def _usual(contexts: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """[swaps] the most frequent prediction in each swap's context; of equals the first."""
    counts = np.zeros((contexts.max() + 1, answers.max() + 1), np.int32)
    np.add.at(counts, (contexts, answers), 1)
    return counts.argmax(axis=1)[contexts]


def _usual_probability(probabilities: np.ndarray, contexts: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """[swaps] probability of the label with the highest mean in the swap's context."""
    total = np.zeros((contexts.max() + 1, probabilities.shape[1]))
    np.add.at(total, contexts, probabilities)
    return probabilities[np.arange(len(probabilities)), total.argmax(axis=1)[contexts]]


def _harm_score(probabilities: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """[swaps] the probability of harm: the sum over harmful labels of one distribution, else the largest of them."""
    if not columns:
        return np.zeros(len(probabilities))
    is_one = np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-3)
    return probabilities[:, columns].sum(axis=1) if is_one else probabilities[:, columns].max(axis=1)


def _against_others(values: np.ndarray, contexts: np.ndarray) -> np.ndarray:
    """[swaps] each value minus the mean of the other values of its context."""
    count, total = np.bincount(contexts)[contexts], np.bincount(contexts, values)[contexts]
    return values - (total - values) / np.maximum(count - 1, 1)


def _term(term: str, flipped: np.ndarray, shifts: np.ndarray, places: np.ndarray, draws: Draws) -> dict:
    own = shifts[places]
    column = own[:, None]
    together = np.zeros(len(own), int)
    mean = bootstrap(lambda weights: weights @ column / len(own), together, draws)[0]
    is_small = len(own) < CONTEXTS_MIN
    p = None if is_small or not own.any() else float(wilcoxon(own, method="asymptotic").pvalue)
    return {
        "term": term,
        "n": len(own),
        "flips": share(int(flipped[places].sum()), len(own)),
        "shift": mean,
        "p": p,
        "p_adjusted": None,
        "is_clear": False,
        "is_small": is_small,
    }


def _overall(contexts: np.ndarray, answers: np.ndarray, shifts: np.ndarray, draws: Draws) -> tuple[Estimate, Estimate]:
    """Flip rate and mean absolute shift; draws are of contexts, whose texts are dependent."""
    counts = np.zeros((contexts.max() + 1, answers.max() + 1))
    np.add.at(counts, (contexts, answers), 1)
    size = counts.sum(axis=1)
    flips = 1 - (counts * (counts - 1)).sum(axis=1) / (size * (size - 1))
    values = np.stack([flips, np.bincount(contexts, np.abs(shifts)) / size], axis=1)
    flip, shift = bootstrap(lambda weights: weights @ values / len(values), np.zeros(len(values), int), draws)
    return with_width(flip, len(values)), shift


def _harm(
    scores: np.ndarray, alarms: np.ndarray, is_harm: np.ndarray, term_of: np.ndarray, terms: Sequence[str]
) -> dict:
    """{false_alarms, misses, auroc : estimates, by_term: [{term, n, false_alarms, false_alarms_gap, misses, misses_gap,
    subgroup_auc, bpsn_auc, bnsp_auc : estimates}]}.

    A gap is the term's rate minus that of all other texts. BPSN: harmful texts of the others against harmless ones of
    the term, low if harmless texts of the term score high; BNSP the reverse, low if harm against the term is missed.
    """
    rows = []
    for place, term in enumerate(terms):
        own = term_of == place
        row: dict = {"term": term, "n": int(own.sum())}
        for name, wrong, among in (("false_alarms", alarms, ~is_harm), ("misses", ~alarms, is_harm)):
            hits, count = int((wrong & among & own).sum()), int((among & own).sum())
            row[name] = share(hits, count)
            row[f"{name}_gap"] = difference(hits, count, int((wrong & among & ~own).sum()), int((among & ~own).sum()))
        row["subgroup_auc"] = auroc(scores[own & is_harm], scores[own & ~is_harm])
        row["bpsn_auc"] = auroc(scores[~own & is_harm], scores[own & ~is_harm])
        row["bnsp_auc"] = auroc(scores[own & is_harm], scores[~own & ~is_harm])
        rows.append(row)
    rows.sort(key=lambda row: -np.nan_to_num(abs(row["false_alarms_gap"].value)))
    return {
        "false_alarms": share(int((alarms & ~is_harm).sum()), int((~is_harm).sum())),
        "misses": share(int((~alarms & is_harm).sum()), int(is_harm.sum())),
        "auroc": auroc(scores[is_harm], scores[~is_harm]),
        "by_term": rows,
    }
