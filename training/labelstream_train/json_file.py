"""Reads and writes JSON files. A bad file is an error for the user that names its path."""

import json
from pathlib import Path
from typing import Any

from . import atomic_file
from .errors import UserError


def read_object(path: Path, made_by: str | None = None) -> dict[str, Any]:
    """The object in a file. Where the file is absent, the error names the stage that writes it (`made_by`)."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise UserError(f"read {path}: {f'run `{made_by}` first' if made_by else cause}") from cause
    except (OSError, ValueError) as cause:
        raise UserError(f"read {path}: {cause}") from cause
    if not isinstance(found, dict):
        raise UserError(f"read {path}: expected an object, found {type(found).__name__}")
    return found


def read_or_empty(path: Path) -> dict[str, Any]:
    """The object in a file; {} if the file is absent or not an object."""
    try:
        return read_object(path)
    except UserError:
        return {}


def write(path: Path, value: object, allow_nan: bool = True) -> None:
    """One document, one space of indentation a level; `allow_nan=False` raises ValueError where JSON has no number."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=allow_nan) + "\n"
    atomic_file.write_text(path, text)
