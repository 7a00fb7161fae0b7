"""A progress line on stderr: rewritten in place on a terminal, one line every 30 s in a log file."""

import sys
import time
from types import TracebackType

LOG_EVERY_S = 30.0
TERMINAL_EVERY_S = 0.2
BAR_CHARS = 24


class Progress:
    """Counts items towards a known total. An earlier command did `before` of them, which do not count for the rate. Use
    it as a context manager, which ends the line."""

    def __init__(self, name: str, total: int, unit: str, before: int = 0):
        self.name, self.total, self.unit, self.before = name, max(1, total), unit, before
        self.done = before
        self.note = ""
        self.started = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.terminal:
            self._show()
            sys.stderr.write("\n")

    def add(self, items: int, note: str = "") -> None:
        """Counts `items` more, and updates the line if it is due."""
        self.done += items
        self.note = note
        now = time.monotonic()
        if now - self.shown >= (TERMINAL_EVERY_S if self.terminal else LOG_EVERY_S):
            self.shown = now
            self._show()

    def per_second(self) -> float:
        """Items per second of wall time since the start."""
        return (self.done - self.before) / max(1e-9, time.monotonic() - self.started)

    def line(self) -> str:
        """The line: bar, counts, rate, time left."""
        share = min(1.0, self.done / self.total)
        bar = "#" * round(share * BAR_CHARS)
        said = [f"{self.name} [{bar:<{BAR_CHARS}}] {self.done}/{self.total}"]
        if self.before:
            said.append(f"({self.before} done before)")
        rate = self.per_second()
        if rate > 0:
            said.append(f"{_rate(rate, self.unit)}, {_duration((self.total - self.done) / rate)} left")
        return " ".join([*said, *([self.note] if self.note else [])])

    def _show(self) -> None:
        sys.stderr.write(f"\r\x1b[2K{self.line()}" if self.terminal else f"{self.line()}\n")
        sys.stderr.flush()


def _rate(per_second: float, unit: str) -> str:
    """`120 texts/s`, `2.5 epochs/s`; for slow items the inverse: `8.0 s/epoch`."""
    if per_second < 1:
        return f"{_duration(1 / per_second)}/{unit.removesuffix('s')}"
    return f"{per_second:.0f} {unit}/s" if per_second >= 10 else f"{per_second:.1f} {unit}/s"


def _duration(seconds: float) -> str:
    """`2.5 s`, `90 s`, `12 min`, `3.5 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
