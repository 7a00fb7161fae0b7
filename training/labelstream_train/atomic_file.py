"""Writes a file so that a reader, or the next run after a kill, finds the old file or the new one, never half of it.

The content goes to PATH.unfinished in the same folder, is synced to disk and then renamed. A kill can leave the
.unfinished file behind: no reader takes it for the file, and the next write replaces it.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

SUFFIX = ".unfinished"


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Has `write` fill a temporary file, then gives it the name `path`; if `write` fails, `path` stays as it was.

    Creates missing folders. A new file gets the usual mode bits, a replaced one keeps its own. A link is replaced, not
    followed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + SUFFIX)
    unfinished.unlink(missing_ok=True)  # of a killed run: it may be read-only
    try:
        write(unfinished)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, unfinished)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """`text` as UTF-8, with the line ends that it has."""
    replace(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8", newline=""))
