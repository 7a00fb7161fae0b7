"""Runs all checks of a data set, and computes the other numbers of the data report."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..data.load import Loaded
from ..data.parts import PARTS, Parts
from ..data.personal import shorten
from ..gate import outlook
from ..gate.rules import Rules
from . import labels, lengths, privacy, repeats, texts, times
from .corpus import Corpus
from .finding import Finding, counted, settle
from .languages import Languages
from .settings import ValidateSettings

LABELLED = ("train", "held_out", "test")


@dataclass(frozen=True, slots=True)
class Checked:
    """Findings, most severe first, and `figures` as in report.json."""

    findings: tuple[Finding, ...]
    figures: dict[str, Any]

    @property
    def errors(self) -> list[Finding]:
        """The findings for which the data is refused."""
        return [finding for finding in self.findings if finding.severity == "error"]


def check(
    loaded: Loaded, parts: Parts | None, problem: str | None, settings: ValidateSettings, rules: Rules | None = None
) -> Checked:
    """Checks the rows and the split; `parts` is None if the split failed, and `problem` says why.

    `rules` are the gate's: a finding tells before training which rules the data is too small for.
    """
    corpus = Corpus.of(loaded, parts)
    languages = Languages.detect(corpus, settings)
    tokens = lengths.tokens(corpus, settings)
    findings = [
        *texts.check(corpus, settings),
        *labels.check(corpus, settings),
        labels.rewritten(loaded.renamed, len(loaded.renamed)),
        *repeats.check(corpus, settings),
        *times.check(corpus, settings),
        *lengths.check(corpus, tokens, settings),
        *languages.check(settings),
        *privacy.check(corpus, settings),
        *_split(corpus, parts, problem),
        *_gate(rules, parts),
    ]
    moments = [row.example.time_ms for row in corpus.rows if row.example.time_ms is not None]
    groups = {row.example.group for row in corpus.rows if row.example.group is not None}
    figures = {
        "counts": _counts(corpus, parts),
        "labels": _labels(parts),
        "lengths": {"characters": lengths.summary(lengths.characters(corpus)), "tokens": lengths.summary(tokens)},
        "languages": _sizes(languages.languages) | {"unsure": languages.unsure},
        "scripts": _sizes(languages.scripts),
        "time": {"from": times.day(min(moments)), "to": times.day(max(moments))} if moments else None,
        "groups": len(groups) or None,
    }
    return Checked(tuple(settle(findings, settings)), figures)


def _split(corpus: Corpus, parts: Parts | None, problem: str | None) -> Iterator[Finding]:
    if problem is not None:
        yield Finding("split.impossible", "error", 1, 1, f"the data cannot be split: {problem}", "fix that problem")
    if parts is not None:
        dropped = {reason: count for reason, count in parts.facts["dropped"].items() if reason != "rows_with_problems"}
        reasons = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in dropped.items())
        count = sum(dropped.values())
        message = f"{counted(count, 'row was', 'rows were')} dropped by the split: {reasons}"
        yield Finding("split.dropped", "info", count, len(corpus), message, "see the findings on leakage and labels")


def _gate(rules: Rules | None, parts: Parts | None) -> Iterator[Finding]:
    """Counts what is missing, usually test texts."""
    if rules is not None and parts is not None:
        for each in outlook.of_data(rules, parts):
            severity = "warning" if each.is_refusal else "info"
            total = len(parts.test) + each.missing
            yield Finding(f"gate.{each.rule}", severity, each.missing, total, each.message, each.action)


def _counts(corpus: Corpus, parts: Parts | None) -> dict[str, Any]:
    return {
        "read": len(corpus) + len(corpus.unusable),
        "unusable": len(corpus.unusable),
        "given": dict(sorted(Counter(corpus.given).items())),
        "parts": None if parts is None else {name: len(getattr(parts, name)) for name in PARTS},
        "dropped": None if parts is None else parts.facts["dropped"],
    }


def _labels(parts: Parts | None) -> list[dict[str, Any]]:
    """One object per label, the most frequent in train first."""
    if parts is None:
        return []
    counts = {name: Counter(label for example in getattr(parts, name) for label in example.labels) for name in LABELLED}
    order = sorted(parts.labels, key=lambda label: (-counts["train"][label], label))
    texts: dict[str, list[str]] = {label: [] for label in order}
    for example in parts.train:
        for label in example.labels:
            texts[label].append(example.text)
    return [
        {"label": label} | {name: counts[name][label] for name in LABELLED} | _texts(texts[label]) for label in order
    ]


def _texts(texts: list[str]) -> dict[str, Any]:
    """The median length of a label's texts, and a text of that length."""
    ordered = sorted(texts, key=lambda text: (len(text), text))
    middle = ordered[len(ordered) // 2] if ordered else None
    return {
        "characters": None if middle is None else len(middle),
        "example": None if middle is None else shorten(middle),
    }


def _sizes(found: dict[str, list]) -> dict[str, int]:
    return {key: len(found[key]) for key in sorted(found, key=lambda key: (-len(found[key]), key))}
