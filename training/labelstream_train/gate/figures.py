"""Takes figures out of report.json and export.json by path; absent is None, of a wrong type is an error.

The reports' keys are fixed where they are written (`evaluate/report.py`, `package/stage.py`). A rule never
guesses: what is neither null nor of the type it must have stops the gate, naming the file and the key.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..json_file import read_object


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and its 95 % interval; both ends are the value itself where there is none. `n` was counted."""

    value: float
    low: float
    high: float
    n: int | None = None
    what: str = ""
    """The worst case that the figure stands for: a label, a slice, a kind of disturbance."""

    @classmethod
    def exact(cls, value: float, what: str = "") -> "Figure":
        """A figure without an interval."""
        return cls(value, value, value, None, what)

    @property
    def interval(self) -> list[float] | None:
        """[low, high]; None where there is none."""
        return None if self.low == self.high == self.value else [self.low, self.high]

    def end(self, use: str) -> float:
        """`value`, `low` or `high`."""
        return float(getattr(self, use))


@dataclass(frozen=True, slots=True)
class Report:
    """A JSON file and its content; an absent file is an empty report."""

    path: Path
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Report":
        """`path`, which may be absent."""
        if not path.exists():
            return cls(path, {})
        return cls(path, read_object(path))

    def at(self, *keys: str) -> Any:
        """What is at a path of keys; None where one of them is absent or null."""
        found: Any = self.content
        for place, key in enumerate(keys):
            if not isinstance(found, dict):
                raise self.wrong(keys[:place], "an object", found)
            found = found.get(key)
            if found is None:
                return None
        return found

    def figure(self, *keys: str) -> Figure | None:
        """The estimate, or the bare number, at a path of keys."""
        found = self.at(*keys)
        return None if found is None else self.as_figure(found, keys)

    def with_interval(self, *keys: str) -> Figure | None:
        """The bare number at a path of keys, with the two ends that stand beside it as NAME_interval, if any do."""
        found = self.at(*keys)
        ends = self.at(*keys[:-1], f"{keys[-1]}_interval")
        if found is None or ends is None:
            return self.figure(*keys)
        if not isinstance(ends, list) or len(ends) != 2:
            raise self.wrong((*keys[:-1], f"{keys[-1]}_interval"), "two numbers", ends)
        return self.as_figure({"value": found, "low": ends[0], "high": ends[1]}, keys)

    def rows(self, *keys: str) -> list[dict[str, Any]] | None:
        """The list of objects at a path of keys."""
        found = self.at(*keys)
        if found is None:
            return None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise self.wrong(keys, "a list of objects", found)
        return found

    def as_figure(self, found: Any, keys: tuple[str, ...], what: str = "") -> Figure | None:
        """An estimate {value, low, high, n} or a number as a figure; None where its value is null."""
        if isinstance(found, dict):
            if found.get("value") is None:
                return None
            value = self._number(found["value"], (*keys, "value"))
            ends = [
                value if found.get(end) is None else self._number(found[end], (*keys, end)) for end in ("low", "high")
            ]
            count = None if found.get("n") is None else int(self._number(found["n"], (*keys, "n")))
            return Figure(value, *ends, count, what)
        return Figure.exact(self._number(found, keys), what)

    def text(self, found: Any, keys: tuple[str, ...]) -> str:
        """`found`, which must be text."""
        if not isinstance(found, str):
            raise self.wrong(keys, "text", found)
        return found

    def wrong(self, keys: tuple[str, ...], expected: str, found: Any) -> UserError:
        """The error that names file and key."""
        return UserError(f"read {self.path}: {'.'.join(keys)}: expected {expected}, found {str(found)[:60]!r}")

    def _number(self, found: Any, keys: tuple[str, ...]) -> float:
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
            raise self.wrong(keys, "a number", found)
        return float(found)
