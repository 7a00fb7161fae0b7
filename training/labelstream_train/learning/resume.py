"""Refuses to resume a training under other settings or on other data than it was started with."""

import json
from pathlib import Path
from typing import Any

from .. import json_file
from ..errors import UserError


def same_run(path: Path, wanted: dict[str, Any]) -> None:
    """Writes `wanted` to `path`; if a training with other values was started there, the error names them."""
    wanted = json.loads(json.dumps(wanted))
    if path.is_file():
        known = _flat(json_file.read_object(path))
        changed = [
            f"{key} ({known.get(key)!r} -> {value!r})"
            for key, value in _flat(wanted).items()
            if known.get(key) != value
        ]
        if changed:
            raise UserError(
                f"resume the training in {path.parent}: it was started with other settings or data: "
                f"{', '.join(changed)}; use another --out, or delete that folder"
            )
    json_file.write(path, wanted)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found
