"""Reads numbers from report.json and export.json by path; absent ones are None, wrong types are an error.

The keys are defined where the files are written (`evaluate/report.py`, `package/stage.py`). A value that is neither
null nor of the expected type stops the gate with the file and the key.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..json_file import read_object


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value and its 95 % interval; without one, both ends are the value. `n` is the number of texts."""

    value: float
    low: float
    high: float
    n: int | None = None
    what: str = ""
    """The worst case that the metric is about: a label, a slice, a perturbation."""

    @classmethod
    def exact(cls, value: float, what: str = "") -> "Measurement":
        """A metric without an interval."""
        return cls(value, value, value, None, what)

    @property
    def interval(self) -> list[float] | None:
        """[low, high]; None if there is none."""
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
        """The value at a path of keys; None if a key is absent or null."""
        found: Any = self.content
        for place, key in enumerate(keys):
            if not isinstance(found, dict):
                raise self.wrong(keys[:place], "an object", found)
            found = found.get(key)
            if found is None:
                return None
        return found

    def measurement(self, *keys: str) -> Measurement | None:
        """The estimate, or the bare number, at a path of keys."""
        found = self.at(*keys)
        return None if found is None else self.as_measurement(found, keys)

    def with_interval(self, *keys: str) -> Measurement | None:
        """The bare number at a path of keys, with the interval at NAME_interval, if there is one."""
        found = self.at(*keys)
        ends = self.at(*keys[:-1], f"{keys[-1]}_interval")
        if found is None or ends is None:
            return self.measurement(*keys)
        if not isinstance(ends, list) or len(ends) != 2:
            raise self.wrong((*keys[:-1], f"{keys[-1]}_interval"), "two numbers", ends)
        return self.as_measurement({"value": found, "low": ends[0], "high": ends[1]}, keys)

    def rows(self, *keys: str) -> list[dict[str, Any]] | None:
        """The list of objects at a path of keys."""
        found = self.at(*keys)
        if found is None:
            return None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise self.wrong(keys, "a list of objects", found)
        return found

    def as_measurement(self, found: Any, keys: tuple[str, ...], what: str = "") -> Measurement | None:
        """An estimate {value, low, high, n} or a number as a metric; None if its value is null."""
        if isinstance(found, dict):
            if found.get("value") is None:
                return None
            value = self._number(found["value"], (*keys, "value"))
            ends = [
                value if found.get(end) is None else self._number(found[end], (*keys, end)) for end in ("low", "high")
            ]
            count = None if found.get("n") is None else int(self._number(found["n"], (*keys, "n")))
            return Measurement(value, *ends, count, what)
        return Measurement.exact(self._number(found, keys), what)

    def text(self, found: Any, keys: tuple[str, ...]) -> str:
        """`found`, which must be text."""
        if not isinstance(found, str):
            raise self.wrong(keys, "text", found)
        return found

    def wrong(self, keys: tuple[str, ...], expected: str, found: Any) -> UserError:
        """The error, with file and key."""
        return UserError(f"read {self.path}: {'.'.join(keys)}: expected {expected}, found {str(found)[:60]!r}")

    def _number(self, found: Any, keys: tuple[str, ...]) -> float:
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
            raise self.wrong(keys, "a number", found)
        return float(found)
