"""The verdict on a package: one outcome per rule, in verdict.json, bound to the digests of the package's files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import json_file
from ..digests import sha256
from ..errors import UserError

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one rule. `limit` is None for rules without one; `skipped` means that the rule is optional and its
    figure was not measured: it counts as passed."""

    name: str
    value: float | None
    interval: list[float] | None
    limit: float | None
    passed: bool
    sentence: str
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """All outcomes on one package. `files` is the SHA-256 of every file in its folder, by name."""

    package_digest: str
    files: dict[str, str]
    rules_file: str
    rules_sha256: str
    champion: dict[str, Any] | None
    rules: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether every rule passed."""
        return all(each.passed for each in self.rules)

    def write(self, path: Path) -> None:
        """Writes verdict.json, whole or not at all."""
        content = {"schema": SCHEMA, "passed": self.passed} | asdict(self)
        json_file.write(path, content, allow_nan=False)

    @classmethod
    def read(cls, path: Path) -> "Verdict":
        """What `write` wrote; one that contradicts itself is an error."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            schema, passed = content.pop("schema"), content.pop("passed")
            content["rules"] = tuple(Outcome(**each) for each in content["rules"])
            verdict = cls(**content)
        except FileNotFoundError as cause:
            raise UserError(f"read {path}: run `gate` first") from cause
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as cause:
            raise UserError(f"read {path}: expected a verdict as `gate` writes it: {cause}") from cause
        if schema != SCHEMA or not verdict.rules or passed is not verdict.passed:
            raise UserError(f"read {path}: its rules contradict `passed`; run `gate` again")
        return verdict


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder and below it, by its path with `/`."""
    if not folder.is_dir():
        raise UserError(f"read {folder}: there is no package; run `export` first")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}


def table(rules: tuple[Outcome, ...]) -> str:
    """The outcomes for a terminal: rule, passed or not, and the sentence."""
    width = max(len(each.name) for each in rules)
    words = [("skipped" if each.skipped else "passed") if each.passed else "FAILED" for each in rules]
    return "\n".join(
        f"{each.name:<{width}}  {word:<7}  {each.sentence}" for each, word in zip(rules, words, strict=True)
    )
