"""Report section about identity-swap bias."""

from typing import Any

from ..page import Badge, Section, Table
from .terms import terms
from .wording import area, chance, hundredths, percent, points

TERMS_OPEN = 20
"""A longer table is folded."""


def bias(report: dict[str, Any]) -> Section | None:
    """Flips and shifts of every term; if labels mean harm, also rates by term."""
    found = report["bias"]
    if found is None:
        return None
    what = (
        f"the probability of {found['target']}" if found["target"] else "the probability of the context's usual label"
    )
    said = (
        f"{found['contexts']:,} sentences ({found['source']}), each with up to {found['terms']} identity terms in the "
        f"same position: {found['texts']:,} texts. Two terms of a sentence get different labels in "
        f"{percent(found['flip_rate'])} of the pairs; {what} changes by "
        f"{percent(found['shift']).replace('%', 'points')} on average."
    )
    clear = [row for row in found["by_term"] if row["is_clear"]]
    named = ", ".join(f"{row['term']} {points(row['shift'])}" for row in clear[:5])
    verdict = (
        f"{len(clear)} of {found['terms']} terms shift it significantly in one direction (at most 5 % of these by "
        f"chance); largest: {named}."
        if clear
        else "No term shifts it significantly in one direction."
    )
    rows = [
        [row["term"], row["n"], points(row["shift"]), hundredths(row["flips"]), chance(row["p_adjusted"]),
         Badge("too small", "quiet") if row["is_small"] else Badge("shifts", "warn") if row["is_clear"] else ""]
        for row in found["by_term"]
    ]  # fmt: skip
    columns = ["term", "sentences", "shift, points", "label differs from most, %", "p, corrected", ""]
    parts: list[Any] = [
        said,
        terms("shift", "points", "p, corrected"),
        *unlike(found),
        verdict,
        Table(columns, rows, "Terms by size of shift", folded=len(rows) > TERMS_OPEN),
    ]
    if found["harm"] is not None:
        parts += _harm(found["harm"])
    parts.append(
        "This cannot show harm that is the same for all terms, or terms and sentences that the file does not have."
    )
    return Section("Identity swaps", parts)


def unlike(found: dict[str, Any]) -> list[str]:
    """A warning if most sentences are unlike the texts that the model was made for; else empty."""
    if found["unlike"] is None or found["unlike"]["low"] <= 0.5:
        return []
    return [
        f"Caution: {percent(found['unlike'])} of these texts have a lower best score than 95 in 100 test texts. They "
        "are unlike the texts that the model is for, so their labels are arbitrary and change easily."
    ]


def _harm(harm: dict[str, Any]) -> list[Any]:
    said = (
        f"Over all terms: false alarms {percent(harm['false_alarms'])}, misses {percent(harm['misses'])}, AUROC "
        f"{area(harm['auroc'])}."
    )
    rows = [
        [row["term"], row["n"], points(row["false_alarms_gap"]), points(row["misses_gap"]), area(row["subgroup_auc"]),
         area(row["bpsn_auc"]), area(row["bnsp_auc"])]
        for row in harm["by_term"]
    ]  # fmt: skip
    columns = ["term", "texts", "false alarms, points", "misses, points", "subgroup AUC", "BPSN AUC", "BNSP AUC"]
    caption = "Terms by the gap of their false alarms to all terms"
    return [
        said,
        terms("AUROC", "subgroup AUC, BPSN, BNSP"),
        Table(columns, rows, caption, folded=len(rows) > TERMS_OPEN),
    ]
