"""A log in OUT/tracking of what a run sends to its tracking server, kept until the server has all of it.

One file per run, one JSON line per event: which run it is, each report, how it ended, that everything arrived. Sending
a file twice is harmless: MLflow keeps one row per metric, step and time. So an outage of the server costs only a rerun
of the command. A killed process leaves a file without an end.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Report:
    """Metrics of a step (an epoch), and when they were measured, Unix time in ms."""

    step: int
    figures: Mapping[str, float]
    time_ms: int


@dataclass(frozen=True, slots=True)
class Journal:
    """One file. Its `basis` identifies the training: a file with another basis belongs to another training."""

    path: Path

    def begin(self, uri: str, basis: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Starts a new file, for a run that the server does not know yet."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("", encoding="utf-8")
        known = {key: str(value) for key, value in params.items()}
        self._add({"uri": uri, "basis": basis, "name": name, "params": known, "tags": dict(tags)})

    def made(self, run_id: str) -> None:
        """Records that the server created the run."""
        self._add({"run_id": run_id})

    def report(self, report: Report) -> None:
        """Records one report."""
        self._add({"step": report.step, "figures": dict(report.figures), "time_ms": report.time_ms})

    def end(self, status: str) -> None:
        """Records the end: FINISHED, FAILED or KILLED."""
        self._add({"end": status})

    def arrived(self) -> None:
        """Records that the server has everything."""
        self._add({"arrived": True})

    @property
    def head(self) -> dict[str, Any] | None:
        """`uri`, `basis`, `name`, `params`, `tags`; None without a file."""
        return next((event for event in self._events() if "uri" in event), None)

    @property
    def run_id(self) -> str | None:
        """The server's id of the run; None if the server never answered."""
        return next((event["run_id"] for event in self._events() if "run_id" in event), None)

    @property
    def status(self) -> str | None:
        """How the run last ended; None while it runs."""
        ends = [event for event in self._events() if "end" in event or "step" in event]
        return ends[-1].get("end") if ends else None

    @property
    def is_whole(self) -> bool:
        """Whether the server has everything."""
        events = list(self._events())
        return bool(events) and "arrived" in events[-1]

    def reports(self) -> list[Report]:
        """All of them, in order."""
        return [Report(each["step"], each["figures"], each["time_ms"]) for each in self._events() if "step" in each]

    def _events(self) -> Iterator[dict[str, Any]]:
        """Skips a line that a kill cut short."""
        if not self.path.is_file():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def _add(self, event: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
