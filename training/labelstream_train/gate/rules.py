"""The file of rules for a package, read strictly, so that no typo disables a rule.

TOML, one table per rule. With `optional = true`, a rule whose metric was not measured passes, and the verdict says that
it was skipped; otherwise it fails.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import UserError
from ..evaluate.perturb import PERTURBATIONS

DEFAULT = Path(__file__).with_name("default_rules.toml")

Share = Annotated[float, Field(ge=0, le=1)]
End = Literal["value", "low", "high"]
"""Which end of the 95 % interval a limit applies to; `value`: the metric itself."""


class Rule(BaseModel):
    """Strict types: text that looks like a number or a truth value is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    optional: bool = False


class Floor(Rule):
    """The metric must be at least `min`."""

    min: Share
    use: End = "value"


class Ceiling(Rule):
    """The metric must be at most `max`."""

    max: Share
    use: End = "value"


class ClassRecall(Rule):
    """No label's recall may be significantly below `min`; labels with fewer than `support_min` test texts are not
    judged."""

    min: Share
    support_min: Annotated[int, Field(ge=1)] = 20


class SliceGap(Rule):
    """No slice may be worse than all texts by more than `max`; slices below `support_min` texts are not judged."""

    max: Share
    support_min: Annotated[int, Field(ge=1)] = 30
    use: End = "low"


def _known(names: list[str]) -> list[str]:
    if unknown := sorted(set(names) - set(PERTURBATIONS)):
        raise ValueError(f"there is no perturbation {unknown[0]!r}; expected some of {', '.join(PERTURBATIONS)}")
    return names


class RobustnessDrop(Ceiling):
    """No perturbation may cost more than `max` of the accuracy, except those in `leave_out`."""

    leave_out: Annotated[list[str], AfterValidator(_known)] = []


class OutOfScope(Floor):
    """`score` separates the texts: the classifier's own score, or another one of the report."""

    score: Literal["score", "entropy", "margin", "energy"] = "score"


class Champion(Rule):
    """The 95 % interval must exclude that the metric is worse than the champion's by `margin` or more."""

    margin: Annotated[float, Field(gt=0, le=1)]
    figure: Literal["accuracy", "macro_f1", "micro_f1"] = "accuracy"
    labels: Literal["any", "same_or_more"] = "same_or_more"


class Bytes(Rule):
    """The size of the package in bytes."""

    max: Annotated[int, Field(ge=1)]


class Milliseconds(Rule):
    """The latency of one text on one thread: the shortest measured text with at least `tokens`, or the longest."""

    max: Annotated[float, Field(gt=0)]
    use: End = "value"
    tokens: Annotated[int, Field(ge=1)] = 32


class GoldenTexts(Rule):
    """`labelstream model check` must accept the package within `seconds_max`."""

    seconds_max: Annotated[float, Field(gt=0, le=3600)] = 120.0


class Rules(BaseModel):
    """All rules; those that the file leaves out do not apply."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy: Floor | None = None
    macro_f1: Floor | None = None
    micro_f1: Floor | None = None
    class_recall: ClassRecall | None = None
    calibration_error: Ceiling | None = None
    slice_gap: SliceGap | None = None
    robustness_drop: RobustnessDrop | None = None
    out_of_scope_auroc: OutOfScope | None = None
    bias_flip_rate: Ceiling | None = None
    int8_agreement: Floor | None = None
    int8_accuracy_loss: Ceiling | None = None
    package_bytes: Bytes | None = None
    p99_ms: Milliseconds | None = None
    champion: Champion | None = None
    golden_texts: GoldenTexts | None = None

    def asked(self) -> dict[str, Rule]:
        """The rules of the file by name, in a fixed order."""
        return {name: rule for name in type(self).model_fields if (rule := getattr(self, name)) is not None}


def read(path: Path) -> Rules:
    """Reads the rules of a file; an error names file, line and expectation of each mistake."""
    try:
        text = path.read_text(encoding="utf-8")
        rules = Rules.model_validate(tomllib.loads(text))
    except ValidationError as cause:
        raise UserError("read " + "; ".join(_fault(path, text, each) for each in cause.errors())) from cause
    except (OSError, ValueError) as cause:
        raise UserError(f"read {path}: {cause}") from cause
    if not rules.asked():
        raise UserError(f"read {path}: expected at least one rule of {', '.join(Rules.model_fields)}")
    return rules


def _fault(path: Path, text: str, error: dict) -> str:
    """One mistake in one sentence, like `rules.toml:4: [accuracy] min: input should be a valid number, found "0.8"`."""
    where = [str(each) for each in error["loc"]]
    rule, key = where[0], ".".join(where[1:])
    place = f"{path}:{_line(text, where)}: [{rule}]" + (f" {key}" if key else "")
    if error["type"] == "missing":
        return f"{place}: it is missing, but the rule requires it"
    if error["type"] == "extra_forbidden":
        known = Rules.model_fields if not key else _keys(rule)
        return f"{place}: unknown {'key' if key else 'rule'}; expected one of {', '.join(known)}"
    if error["type"] in ("model_type", "model_attributes_type"):
        return f"{place}: expected a table, found {error['input']!r}"
    return f"{place}: {error['msg'].removeprefix('Value error, ').lower()}, found {error['input']!r}"


def _keys(rule: str) -> list[str]:
    """The keys of a rule; its field is declared as `KIND | None`."""
    kind = next(each for each in Rules.model_fields[rule].annotation.__args__ if each is not type(None))
    return list(kind.model_fields)


def _line(text: str, where: list[str]) -> int:
    """The line (from 1) of a key, or of its table if the key is absent or inline."""
    table_at = key_at = None
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*[\"']?([^\"'\]]+?)[\"']?\s*\]", line):
            inside = header.group(1).split(".")[0].strip() == where[0]
            if inside:
                table_at = number
        elif table_at is None and re.match(rf"\s*[\"']?{re.escape(where[0])}[\"']?\s*[.=]", line):
            table_at, inside = number, False
        elif len(where) > 1 and table_at and inside and re.match(rf"\s*[\"']?{re.escape(where[1])}[\"']?\s*=", line):
            key_at = key_at or number
    return key_at or table_at or 1
