"""What the gate will say whatever the model becomes, told before an hour of training: too little to measure by.

A rule that the data cannot feed is skipped if it is optional, and refuses every package if it is not. The bound on a
figure is that of a perfect model: with n test texts all right, Wilson's lower end is n / (n + z squared).
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
    """One rule that will not be met, or be skipped (`is_refusal` false). `missing` counts what would be added."""

    rule: str
    is_refusal: bool
    missing: int
    message: str
    action: str


def of_data(rules: Rules, parts: Parts) -> Iterator[Outlook]:
    """All that is known from the parts alone."""
    for name in ("accuracy", "macro_f1", "micro_f1"):
        rule = getattr(rules, name)
        if rule is not None and rule.use == "low" and (found := _floor(name, rule, len(parts.test))):
            yield found
    if rules.class_recall is not None and (found := _labels(rules.class_recall, parts)):
        yield found
    if rules.out_of_scope_auroc is not None and not rules.out_of_scope_auroc.optional and not parts.out_of_scope:
        message = "the gate demands out_of_scope_auroc, and no text is out of scope"
        action = "give some by --out-of-scope, or mark the rule `optional = true`"
        yield Outlook("out_of_scope_auroc", True, 1, message, action)


def _floor(name: str, rule: Floor, texts: int) -> Outlook | None:
    needed = ceil(rule.min * Z_SQUARED / (1 - rule.min)) if rule.min < 1 else None
    if needed is not None and texts >= needed:
        return None
    why = f"with {texts} test texts even a model that is always right is not surely {rule.min:g} ({name})"
    more = "no number of texts is enough for 1" if needed is None else f"{needed - texts} more test texts are needed"
    return Outlook(name, True, max(1, (needed or 0) - texts), f"the gate cannot pass: {why}; {more}", _MORE)


def _labels(rule: ClassRecall, parts: Parts) -> Outlook | None:
    """Whether any label, and how many of them, can be judged alone."""
    counts = dict.fromkeys(parts.labels, 0)
    for example in parts.test:
        for label in example.labels:
            counts[label] += 1
    few = {label: rule.support_min - count for label, count in counts.items() if count < rule.support_min}
    if not few:
        return None
    share = f"{len(few)} of {len(counts)} labels" if len(few) < len(counts) else f"all {len(counts)} labels"
    missing = sum(few.values())
    message = f"{share} have fewer than {rule.support_min} test texts, so the gate does not judge them one by one"
    if len(few) == len(counts) and not rule.optional:
        message = (
            f"the gate cannot pass: it demands class_recall, and {share} have fewer than {rule.support_min} test texts"
        )
        return Outlook("class_recall", True, missing, f"{message}; {missing} are missing", _MORE)
    return Outlook("class_recall", False, missing, f"{message}; {missing} are missing", _MORE)


def of_program(rules: Rules, settings: Settings) -> str | None:
    """What is left out without the `labelstream` program, where it is not there; a wrong name of it is an error."""
    if program(settings.export.labelstream) is not None:
        return None
    left_out = ["the drift reference"] if settings.export.drift_reference else []
    demanded = rules.golden_texts is not None and not rules.golden_texts.optional
    if rules.golden_texts is not None and rules.golden_texts.optional:
        left_out.append("the gate's rule golden_texts")
    said = [f"{' and '.join(left_out)} will be left out"] if left_out else []
    said += ["the gate will refuse the package, as it demands golden_texts"] if demanded else []
    how = "put it on the PATH, or name it by LABELSTREAM or export.labelstream"
    return f"the program `labelstream` was not found: {', and '.join(said)}; {how}" if said else None


_MORE = "gather more texts, raise split.test_share, or lower the rule (--rules)"
