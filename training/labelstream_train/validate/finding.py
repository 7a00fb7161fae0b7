"""A finding of a check: one kind of problem, how often, where, and what to do about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..data.personal import shorten
from ..data.rows import Row
from .settings import ValidateSettings

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")

LINE_EXAMPLES = 3
AREAS = {
    "row": "Rows", "text": "Texts", "label": "Labels", "duplicate": "Duplicates", "conflict": "Contradictions",
    "leakage": "Leakage into test", "time": "Times", "length": "Lengths", "language": "Languages",
    "personal": "Personal data", "split": "Split", "gate": "The gate's rule",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """`id` is AREA.FAULT and never changes; `count` of `total` rows (or what `message` names) have it.

    `examples` hold places (FILE:LINE) and shortened texts in which personal data is masked.
    """

    id: str
    severity: Severity
    count: int
    total: int
    message: str
    action: str
    examples: tuple[dict[str, Any], ...] = ()

    @property
    def share(self) -> float:
        """`count` / `total`; 0 if `total` is 0."""
        return self.count / self.total if self.total else 0.0

    @property
    def title(self) -> str:
        """The id in words, as a heading: `label.few_texts` is "Labels: few texts"."""
        area, _, fault = self.id.partition(".")
        words = "near duplicates" if fault == "near" else fault.replace("_", " ")
        return f"{AREAS.get(area, area.capitalize())}: {words}"

    def line(self) -> str:
        """One line for a terminal or a log, with labels but no texts of the data."""
        named = [str(each["place"]) for each in self.examples[:LINE_EXAMPLES] if "place" in each]
        named += [f"{each['label']!r} with {counted(each['texts'], 'text')}" for each in self.examples[:LINE_EXAMPLES]
                  if {"label", "texts"} <= each.keys()]  # fmt: skip
        return f"{self.id}: {self.message}" + (f" (for example {', '.join(named)})" if named else "")

    def json(self) -> dict[str, Any]:
        """As in report.json."""
        return {
            "id": self.id,
            "severity": self.severity,
            "count": self.count,
            "share": round(self.share, 6),
            "message": self.message,
            "action": self.action,
            "examples": list(self.examples),
        }


def shown(row: Row, **more: Any) -> dict[str, Any]:
    """A row as an example: place, masked and shortened text, labels, and `more`."""
    return {"place": row.place, "text": shorten(row.example.text), "labels": list(row.example.labels)} | more


def settle(findings: Iterable[Finding], settings: ValidateSettings) -> list[Finding]:
    """Applies the user's severities and limits; errors first, then by id. Drops findings with a count of 0."""
    settled = []
    for finding in findings:
        severity = settings.severity.get(finding.id, finding.severity)
        if severity != "off" and finding.count > 0:
            settled.append(replace(finding, severity=severity, examples=finding.examples[: settings.examples_max]))
    return sorted(settled, key=lambda each: (SEVERITIES.index(each.severity), _is_consequence(each), each.id))


def _is_consequence(finding: Finding) -> bool:
    """Unreadable rows come before their consequences: no usable row, one label, nothing to split."""
    return not finding.id.startswith("row.") or finding.id == "row.none_usable"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 text`, `2 texts`, `1,234 texts`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """A share of 0..1 as a percentage; small ones never round to 0."""
    return "under 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def head(rows: Sequence[Row], limit: int) -> tuple[dict[str, Any], ...]:
    """The first rows as examples."""
    return tuple(shown(row) for row in rows[:limit])
