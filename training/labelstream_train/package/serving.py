"""The program that serves packages: finds it, and has it check a package with `labelstream model check`."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import UserError
from . import manifest

CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the program accepted the package, the number of golden texts, and the program's message."""

    passed: bool
    texts: int
    said: str


def program(wanted: str) -> Path | None:
    """The program of the settings, else of LABELSTREAM, of the PATH, or of a build in this checkout; else None."""
    named = wanted or os.environ.get("LABELSTREAM", "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise UserError(f"run {named}: there is no such program")
        return Path(found)
    if found := shutil.which("labelstream"):
        return Path(found)
    builds = (CHECKOUT / "target" / profile / "labelstream" for profile in ("release", "debug"))
    newest = sorted((path for path in builds if path.is_file()), key=lambda path: path.stat().st_mtime)
    return newest[-1] if newest else None


def identity(wanted: str) -> str:
    """The version of the program, on which its results depend, or `absent`."""
    found = program(wanted)
    return "absent" if found is None else _version(found, found.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _version(binary: Path, changed_ns: int) -> str:
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as cause:
        return f"does not run: {cause}"
    return done.stdout.strip() or f"exit {done.returncode}"


def check(binary: Path, package: Path, seconds_max: float) -> Check:
    """Runs the program on the package. The last line on stderr is its reason to refuse; stdout has its report."""
    texts = len(manifest.read(package).get("golden") or [])
    try:
        done = subprocess.run(
            [binary, "model", "check", package], capture_output=True, text=True, timeout=seconds_max, check=False
        )
    except subprocess.TimeoutExpired:
        return Check(False, texts, f"{binary.name} did not answer within {seconds_max:g} s")
    except OSError as cause:
        raise UserError(f"run {binary}: {cause}") from cause
    rows = [line for line in done.stdout.splitlines() if line.startswith("golden texts")]
    said = rows[0].removeprefix("golden texts").strip() if rows else ""
    if done.returncode != 0:
        said = f"{done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no reason given'} {said}".strip()
    return Check(done.returncode == 0, texts, said or "no line about golden texts")
