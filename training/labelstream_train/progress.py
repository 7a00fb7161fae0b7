"""A progress line on stderr: rewritten in place on a terminal, one line every 30 s in a log file."""

import sys
import time
from types import TracebackType

LOG_EVERY_S = 30.0
TERMINAL_EVERY_S = 0.2
BAR_CHARS = 24


class Progress:
    """Counts items towards a known total. Use it as a context manager, so that its line is ended."""

    def __init__(self, name: str, total: int, unit: str):
        self.name, self.total, self.unit = name, max(1, total), unit
        self.done = 0
        self.started = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.terminal:
            self._show("")
            sys.stderr.write("\n")

    def add(self, items: int, note: str = "") -> None:
        """Counts `items` more; shows the line when it is time to."""
        self.done += items
        now = time.monotonic()
        if now - self.shown >= (TERMINAL_EVERY_S if self.terminal else LOG_EVERY_S):
            self.shown = now
            self._show(note)

    def per_second(self) -> float:
        """Items per second of wall time since the start."""
        return self.done / max(1e-9, time.monotonic() - self.started)

    def _show(self, note: str) -> None:
        share = min(1.0, self.done / self.total)
        bar = "#" * round(share * BAR_CHARS)
        left_s = (self.total - self.done) / max(1e-9, self.per_second())
        line = (
            f"{self.name} [{bar:<{BAR_CHARS}}] {self.done}/{self.total} "
            f"{self.per_second():.0f} {self.unit}/s, {left_s:.0f} s left {note}"
        )
        sys.stderr.write(f"\r\x1b[2K{line}" if self.terminal else f"{line}\n")
        sys.stderr.flush()
