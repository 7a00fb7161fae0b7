"""The golden texts of a package, asked of the program that will serve it: `labelstream model check`."""

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
    """Whether the program took the package, how many golden texts it has, and what the program said."""

    passed: bool
    texts: int
    said: str


def program(wanted: str) -> Path | None:
    """The program named in the settings; else of LABELSTREAM, the PATH, or a build in this checkout; else none."""
    named = wanted or os.environ.get("LABELSTREAM", "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise UserError(f"run {named}: it is not a program")
        return Path(found)
    if found := shutil.which("labelstream"):
        return Path(found)
    builds = (CHECKOUT / "target" / profile / "labelstream" for profile in ("release", "debug"))
    newest = sorted((path for path in builds if path.is_file()), key=lambda path: path.stat().st_mtime)
    return newest[-1] if newest else None


def identity(wanted: str) -> str:
    """Which program there is, as far as what it makes depends on it: its version, or that it is absent."""
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
    """Runs the program on the package. Its last line on stderr says why it refused, the report what it found."""
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
    return Check(done.returncode == 0, texts, said or "no word about golden texts")
