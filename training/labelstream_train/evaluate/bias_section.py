"""The part of the report page about identity-swap bias."""

from typing import Any

from ..page import Badge, Section, Table
from .terms import terms
from .wording import area, chance, hundredths, percent, points

TERMS_OPEN = 20
"""A longer table is folded."""


def bias(report: dict[str, Any]) -> Section | None:
    """Flips and shifts of every term, and where labels mean harm the rates by term."""
    found = report["bias"]
    if found is None:
        return None
    what = (
        f"the probability of {found['target']}" if found["target"] else "the probability of the context's usual label"
    )
    said = (
        f"{found['contexts']:,} sentences ({found['source']}), each with up to {found['terms']} identity terms in "
        "the same "
        f"place, {found['texts']:,} texts. Two terms of a sentence get different labels in "
        f"{percent(found['flip_rate'])} of "
        f"the pairs; {what} moves by {percent(found['shift']).replace('%', 'points')} on average."
    )
    clear = [row for row in found["by_term"] if row["is_clear"]]
    named = ", ".join(f"{row['term']} {points(row['shift'])}" for row in clear[:5])
    verdict = (
        f"{len(clear)} of {found['terms']} terms move it in one direction for sure (at most 5 % of these by "
        f"chance); most: {named}."
        if clear
        else "No term moves it in one direction for sure."
    )
    rows = [
        [row["term"], row["n"], points(row["shift"]), hundredths(row["flips"]), chance(row["p_adjusted"]),
         Badge("too small", "quiet") if row["is_small"] else Badge("moves", "warn") if row["is_clear"] else ""]
        for row in found["by_term"]
    ]  # fmt: skip
    columns = ["term", "sentences", "shift, points", "other label than most, %", "p, corrected", ""]
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
        "Harm that is the same for all terms does not show here, nor do terms and sentences that the file does "
        "not have."
    )
    return Section("Identity swaps", parts)


def unlike(found: dict[str, Any]) -> list[str]:
    """A warning where most of the sentences are nothing that the model was made for; else empty."""
    if found["unlike"] is None or found["unlike"]["low"] <= 0.5:
        return []
    return [
        f"Read with care: {percent(found['unlike'])} of these texts get a lower best score than 95 in 100 test "
        "texts do. "
        "They are unlike what the model is for, so that their labels are arbitrary, and move easily."
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
    caption = "Terms by the gap of false alarms to all terms"
    return [
        said,
        terms("AUROC", "subgroup AUC, BPSN, BNSP"),
        Table(columns, rows, caption, folded=len(rows) > TERMS_OPEN),
    ]
