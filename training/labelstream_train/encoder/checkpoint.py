"""Files of a training that are whole or not there: written to a temporary name, synced, renamed."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Calls `write` with a temporary path beside `path`, then renames it; a kill leaves the old file."""
    unfinished = path.with_name(path.name + ".unfinished")
    write(unfinished)
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def write_json(path: Path, value: object) -> None:
    """One indented document."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    replace(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8"))


def same_run(path: Path, wanted: dict[str, Any]) -> None:
    """Writes what is trained to `path`; where another training was begun, an error names what differs."""
    wanted = json.loads(json.dumps(wanted))
    if path.is_file():
        begun = _flat(json.loads(path.read_text(encoding="utf-8")))
        changed = [
            f"{key} ({begun.get(key)!r} -> {value!r})"
            for key, value in _flat(wanted).items()
            if begun.get(key) != value
        ]
        if changed:
            raise UserError(
                f"go on with the training in {path.parent}: it was begun with other settings or data: "
                f"{', '.join(changed)}; take another --out, or delete that folder"
            )
    write_json(path, wanted)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found
