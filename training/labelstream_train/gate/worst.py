"""Rules about the worst label, slice or perturbation, from the rows of report.json."""

from scipy.stats import binom

from ..package.verdict import Outcome
from .measurements import Measurement, Report
from .outcome import at_most, described, missing, number
from .rules import ClassRecall, RobustnessDrop, SliceGap

CHANCE = 0.025
"""Probability of failing a label although all meet the minimum: one end of a 95 % interval."""

NAMED_MAX = 5
"""Labels that a sentence lists."""


def class_recall(report: Report, rule: ClassRecall) -> Outcome:
    """A label fails if its recall is significantly below the minimum.

    With a true recall of `min`, the hits among n texts are binomial. The label fails if that many or fewer hits have a
    probability below `CHANCE` / labels judged (Bonferroni): with 3 texts, even 0 hits do not disprove a recall of 0.4.
    """
    name = "class_recall"
    rows = report.rows("classes")
    if not rows:
        return missing(name, rule, f"{report.path.name} has no metrics by label")
    judged = []
    for row in rows:
        recall = report.as_measurement(row.get("recall") or {}, ("classes", "recall"), repr(row.get("label")))
        if recall is not None and (recall.n or 0) >= rule.support_min:
            judged.append(recall)
    few = len(rows) - len(judged)
    if not judged:
        return missing(name, rule, _too_few([row.get("recall") or {} for row in rows], rule.support_min))
    limit = CHANCE / len(judged)
    failed = [each for each in judged if binom.cdf(round(each.value * each.n), each.n, rule.min) < limit]
    worst = min(failed or judged, key=lambda each: each.value)
    sentence = f"the lowest recall is {described(worst)}; "
    if failed:
        names = ", ".join(each.what for each in sorted(failed, key=lambda each: each.value)[:NAMED_MAX])
        sentence += f"{len(failed)} of {len(judged)} labels are significantly below {number(rule.min)}: {names}"
        sentence += ", ..." if len(failed) > NAMED_MAX else ""
    else:
        sentence += f"no label is significantly below {number(rule.min)}"
    if few:
        sentence += f"; {few} labels with fewer than {rule.support_min} test texts were not judged"
    return Outcome(name, worst.value, worst.interval, rule.min, not failed, sentence)


def _too_few(recalls: list[dict], support_min: int) -> str:
    """How many test texts the labels have, and how many more are needed to judge all of them."""
    counts = [int(each.get("n") or 0) for each in recalls]
    more = sum(support_min - count for count in counts)
    have = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{max(counts)}"
    return (f"none of the {len(counts)} labels has {support_min} test texts, they have {have} each; "
            f"{more:,} more are needed to judge all of them")  # fmt: skip


def slice_gap(report: Report, rule: SliceGap) -> Outcome:
    """The slice with the largest gap to all texts, among those with enough texts."""
    rows = [row for row in report.rows("slices") or [] if (row.get("n") or 0) >= rule.support_min]
    gaps = [_loss(report, row.get("gap"), "gap", f"{row.get('slice')} = {row.get('value')}", "slices") for row in rows]
    known = [each for each in gaps if each is not None]
    if not known:
        return missing("slice_gap", rule, f"no slice has {rule.support_min} test texts")
    worst = _worst(known, rule)
    return at_most("slice_gap", f"of {len(known)} slices, the largest gap to all texts", worst, rule)


def robustness_drop(report: Report, rule: RobustnessDrop) -> Outcome:
    """The perturbation that costs most accuracy, among those that count."""
    rows = [row for row in report.rows("robustness") or [] if row.get("name") not in rule.leave_out]
    losses = [_loss(report, row.get("change"), "change", str(row.get("name")), "robustness") for row in rows]
    known = [each for each in losses if each is not None]
    if not known:
        return missing("robustness_drop", rule, "no perturbation that counts was measured")
    worst = _worst(known, rule)
    return at_most("robustness_drop", f"of {len(known)} perturbations, the largest loss", worst, rule)


def _worst(losses: list[Measurement], rule: RobustnessDrop | SliceGap) -> Measurement:
    """The largest loss, among those that break the rule if any do. The end of an interval alone would prefer a small
    loss of many texts to a large one of few."""
    breaking = [each for each in losses if each.end(rule.use) > rule.max]
    return max(breaking or losses, key=lambda each: each.value)


def _loss(report: Report, found: object, key: str, what: str, section: str) -> Measurement | None:
    """A change (after minus before) as a loss, with its interval."""
    change = None if found is None else report.as_measurement(found, (section, key), what)
    return None if change is None else Measurement(-change.value, -change.high, -change.low, change.n, what)
