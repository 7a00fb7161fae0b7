"""The top of the report: main metric, baseline, and the gate's verdict."""

from typing import Any

from ..package.verdict import Verdict
from ..page import Badge, Headline, Part, Section, Table, Tone
from .terms import terms
from .wording import NONE


def headline(report: dict[str, Any], verdict: Verdict | None) -> Section:
    """The first section, without a heading."""
    estimates, is_multi = report["estimates"], report["is_multi_label"]
    main, words = ("macro_f1", "macro-F1 on test") if is_multi else ("accuracy", "accuracy on test")
    figures = [_large(estimates[main], words)]
    known = ["macro-F1" if is_multi else "accuracy", "95 % interval"]
    floor = report.get("baseline")
    if floor is not None:
        gap = floor["difference"]
        tone: Tone = "good" if gap["low"] > 0 else "bad" if gap["high"] < 0 else "warn"
        figures.append(_large(floor["accuracy"], f"the baseline: {floor['name']}"))
        figures.append((f"{100 * gap['value']:+.1f}", "points above the baseline",
                        f"95 % interval {100 * gap['low']:+.1f} to {100 * gap['high']:+.1f}", tone))  # fmt: skip
        known.append("baseline")
    elif not is_multi:
        figures.append(_large(estimates["macro_f1"], "macro-F1 on test"))
        known.append("macro-F1")
    if verdict is not None:
        figures.append(_verdict(verdict))
        known.append("gate")
    parts: list[Part] = [Headline(figures), terms(*known)]
    return Section("", [*parts, *([] if verdict is None else [_rules(verdict)])])


def _large(estimate: dict[str, Any], words: str) -> tuple[str, str, str, Tone]:
    if estimate["value"] is None:
        return (NONE, words, "not measured", "quiet")
    low, high = 100 * estimate["low"], 100 * estimate["high"]
    return (f"{100 * estimate['value']:.1f} %", words, f"95 % interval {low:.1f} to {high:.1f}\u00a0%", "quiet")


def _verdict(verdict: Verdict) -> tuple[str, str, str, Tone]:
    failed = sum(not each.passed for each in verdict.rules)
    skipped = sum(each.skipped for each in verdict.rules)
    below = f"{len(verdict.rules) - skipped - failed} rules passed, {failed} failed, {skipped} skipped"
    return ("failed" if failed else "passed", "the gate", below, "bad" if failed else "good")


def _rules(verdict: Verdict) -> Table:
    words = {True: Badge("passed", "good"), False: Badge("failed", "bad")}
    ordered = sorted(verdict.rules, key=lambda each: (each.passed, each.skipped))
    rows = [[Badge("skipped", "quiet") if each.skipped else words[each.passed], each.name.replace("_", " "),
             each.sentence] for each in ordered]  # fmt: skip
    return Table(["", "rule", "why"], rows, "The gate's rules", folded=verdict.passed)
