"""The summary of a run: how long each stage took, where the package is, and how to serve it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import json_file
from .run import Run
from .workflow import Outcome


@dataclass(frozen=True, slots=True)
class Summary:
    """`package` is None before the export, `is_passed` before the gate."""

    out: Path
    outcomes: Sequence[Outcome]
    package: Path | None
    title: str
    size_bytes: int
    is_passed: bool | None
    reports: Sequence[Path]

    def serve(self) -> str | None:
        """The command that serves the package."""
        return None if self.package is None else f"labelstream classify --model {shlex.quote(str(self.package))}"

    def as_text(self) -> str:
        """Lines for the terminal."""
        lines = [f"{each.stage:<10}{_seconds(each)}" for each in self.outcomes]
        lines += [f"report    {path}" for path in self.reports]
        if self.package is not None:
            verdict = {None: "gate not run", True: "passed its gate", False: "failed its gate"}[self.is_passed]
            lines.append(f"package   {self.package} ({self.title}, {self.size_bytes / 1e6:.1f} MB, {verdict})")
        if self.is_passed and self.serve():
            lines.append(f"serve it  {self.serve()}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "out": str(self.out),
            "stages": [{"stage": each.stage, "seconds": each.seconds, "skipped": each.why} for each in self.outcomes],
            "package": None if self.package is None else str(self.package),
            "package_bytes": self.size_bytes,
            "passed": self.is_passed,
            "reports": [str(path) for path in self.reports],
            "serve": self.serve(),
        }


def summary(run: Run, outcomes: Sequence[Outcome]) -> Summary:
    """Summarises what is in the run's folder now."""
    manifest = json_file.read_or_empty(run.package / "labelstream.json")
    verdict = json_file.read_or_empty(run.gate / "verdict.json")
    judged = run.gate if (run.gate / "report.html").is_file() else run.evaluate
    pages = [folder / "report.html" for folder in (run.validate, run.tune, judged)]
    reports = [path for path in pages if path.is_file()]
    files = [path for path in run.package.iterdir() if path.is_file()] if manifest else []
    title = f"{manifest.get('name')} {manifest.get('version')}"
    size = sum(path.stat().st_size for path in files)
    return Summary(
        run.out, tuple(outcomes), run.package if manifest else None, title, size, verdict.get("passed"), reports
    )


def _seconds(outcome: Outcome) -> str:
    time = "" if outcome.seconds is None else f"{outcome.seconds:10.1f} s"
    return f"{time}  ({outcome.why})" if outcome.why else time
