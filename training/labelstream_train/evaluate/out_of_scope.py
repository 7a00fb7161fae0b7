"""How well a score separates texts that belong to no label from the others, and a threshold for abstaining."""

import numpy as np

from ..statistics import ranking
from ..statistics.intervals import Draws, bootstrap, share, with_width
from . import abstain

KEPT = ranking.TRUE_RATE
"""Share of the in-scope texts that the suggested threshold keeps."""


def scores(
    logits: np.ndarray, probabilities: np.ndarray, temperature: float, is_multi_label: bool
) -> dict[str, np.ndarray]:
    """Name -> [texts], higher is more in scope.

    Highest probability (Hendrycks and Gimpel 2017), negative entropy, margin, and free energy (Liu et al. 2020,
    equation 4; multi-label: the sum over labels, Wang et al. 2021).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.nan_to_num(probabilities * np.log(probabilities))
        if is_multi_label:
            parts += np.nan_to_num((1 - probabilities) * np.log1p(-probabilities))
    scaled = logits.astype(np.float64) / temperature
    together = np.logaddexp(0.0, scaled).sum(axis=1) if is_multi_label else np.logaddexp.reduce(scaled, axis=1)
    return {
        "score": probabilities.max(axis=1),
        "entropy": parts.sum(axis=1),
        "margin": abstain.margins(probabilities),
        "energy": temperature * together,
    }


def measure(
    inside: dict[str, np.ndarray],
    outside: dict[str, np.ndarray],
    right: np.ndarray,
    held_out: dict[str, np.ndarray] | None,
    draws: Draws,
) -> dict:
    """{n_in, n_out, scores: [{name, auroc, aupr_in, aupr_out, fpr_at_95 : estimates, threshold, chosen_on,
    kept, rejected, accuracy_kept : estimates}], best}.

    `right` says which in-scope answers are right. `aupr_in` ranks in-scope texts first, `aupr_out` the others;
    `fpr_at_95` is the share of out-of-scope texts accepted by a threshold that accepts 95 % of in-scope texts. The
    threshold keeps 95 % of the held-out in-scope texts; without these, it is chosen on the reported texts.
    """
    rows = []
    for name, values in inside.items():
        others = outside[name]
        both = np.concatenate([values, others])
        wanted = np.arange(len(both)) < len(values)
        strata = wanted.astype(int)
        auroc, aupr_in, false_rate = bootstrap(ranking.statistic(both, wanted), strata, draws)
        aupr_out = bootstrap(ranking.statistic(-both, ~wanted), strata, draws)[1]
        basis = values if held_out is None else held_out[name]
        threshold = float(np.quantile(basis, 1 - KEPT, method="lower"))
        kept = values >= threshold
        fewer = min(len(values), len(others))
        rows.append(
            {
                "name": name,
                "auroc": with_width(auroc, fewer),
                "aupr_in": with_width(aupr_in, fewer),
                "aupr_out": with_width(aupr_out, fewer),
                "fpr_at_95": with_width(false_rate, len(others)),
                "threshold": threshold,
                "chosen_on": "test" if held_out is None else "held out",
                "kept": share(int(kept.sum()), len(kept)),
                "rejected": share(int((others < threshold).sum()), len(others)),
                "accuracy_kept": share(int((kept & right).sum()), int(kept.sum())),
            }
        )
    best = max(rows, key=lambda row: row["auroc"].value)["name"]
    first = next(iter(inside))
    return {"n_in": len(inside[first]), "n_out": len(outside[first]), "scores": rows, "best": best}
