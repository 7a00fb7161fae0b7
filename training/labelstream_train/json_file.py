"""Reads JSON files that the package expects: what is wrong with one is the user's to hear, with its path."""

import json
from pathlib import Path
from typing import Any

from .errors import UserError


def read_object(path: Path, made_by: str | None = None) -> dict[str, Any]:
    """The object in a file. Where the file is absent, the error says which stage (`made_by`) makes it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        raise UserError(f"read {path}: {f'run `{made_by}` first' if made_by else cause}") from cause
    except (OSError, ValueError) as cause:
        raise UserError(f"read {path}: {cause}") from cause
    if not isinstance(found, dict):
        raise UserError(f"read {path}: expected an object, found {type(found).__name__}")
    return found
