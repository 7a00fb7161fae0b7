"""Finds rules that no model can pass, before any training: the data has too few texts to measure them.

Such a rule is skipped if it is optional; otherwise it refuses every package. The bound is that of a perfect model: with
all of n test texts right, Wilson's lower end is n / (n + z squared).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from ..data.parts import Parts
from ..package.serving import program
from ..settings import Settings
from .outcome import Z_SQUARED
from .rules import ClassRecall, Floor, Rules


@dataclass(frozen=True, slots=True)
class Outlook:
    """A rule that will fail, or be skipped (`is_refusal` false). `missing` counts the texts to add."""

    rule: str
    is_refusal: bool
    missing: int
    message: str
    action: str


def of_data(rules: Rules, parts: Parts) -> Iterator[Outlook]:
    """All rules that the parts alone decide."""
    for name in ("accuracy", "macro_f1", "micro_f1"):
        rule = getattr(rules, name)
        if rule is not None and rule.use == "low" and (found := _floor(name, rule, len(parts.test))):
            yield found
    if rules.class_recall is not None and (found := _labels(rules.class_recall, parts)):
        yield found
    if rules.out_of_scope_auroc is not None and not rules.out_of_scope_auroc.optional and not parts.out_of_scope:
        message = "the gate requires out_of_scope_auroc, but there are no out-of-scope texts"
        action = "add some with --out-of-scope, or set `optional = true` for the rule"
        yield Outlook("out_of_scope_auroc", True, 1, message, action)


def _floor(name: str, rule: Floor, texts: int) -> Outlook | None:
    needed = ceil(rule.min * Z_SQUARED / (1 - rule.min)) if rule.min < 1 else None
    if needed is not None and texts >= needed:
        return None
    why = f"with {texts} test texts, even a perfect model does not show {rule.min:g} ({name})"
    more = "no number of texts can show 1" if needed is None else f"{needed - texts} more test texts are needed"
    return Outlook(name, True, max(1, (needed or 0) - texts), f"the gate cannot pass: {why}; {more}", _MORE)


def _labels(rule: ClassRecall, parts: Parts) -> Outlook | None:
    """How many labels have enough test texts to be judged."""
    counts = dict.fromkeys(parts.labels, 0)
    for example in parts.test:
        for label in example.labels:
            counts[label] += 1
    few = {label: rule.support_min - count for label, count in counts.items() if count < rule.support_min}
    if not few:
        return None
    share = f"{len(few)} of {len(counts)} labels" if len(few) < len(counts) else f"all {len(counts)} labels"
    missing = sum(few.values())
    message = f"{share} have fewer than {rule.support_min} test texts, so the gate does not judge them individually"
    if len(few) == len(counts) and not rule.optional:
        message = (
            f"the gate cannot pass: it requires class_recall, but {share} have fewer than {rule.support_min} test texts"
        )
        return Outlook("class_recall", True, missing, f"{message}; {missing} are missing", _MORE)
    return Outlook("class_recall", False, missing, f"{message}; {missing} are missing", _MORE)


def of_program(rules: Rules, settings: Settings) -> str | None:
    """What is left out if there is no `labelstream` program; None if there is one. A wrong name is an error."""
    if program(settings.export.labelstream) is not None:
        return None
    left_out = ["the drift reference"] if settings.export.drift_reference else []
    demanded = rules.golden_texts is not None and not rules.golden_texts.optional
    if rules.golden_texts is not None and rules.golden_texts.optional:
        left_out.append("the gate's rule golden_texts")
    said = [f"{' and '.join(left_out)} will be left out"] if left_out else []
    said += ["the gate will refuse the package, because it requires golden_texts"] if demanded else []
    how = "put it on the PATH, or set LABELSTREAM or export.labelstream"
    return f"the program `labelstream` was not found: {', and '.join(said)}; {how}" if said else None


_MORE = "collect more texts, raise split.test_share, or relax the rule (--rules)"
