"""The settings that make a package again: what it was trained with, and nothing that is of one machine or search.

What a search found stands among them as plain values, and the search does not: it would choose anew. Of files only the
names are kept, as their digests stand beside; where a model came from a hub, its name is whole.
"""

from pathlib import Path
from typing import Any

from .settings import Settings

FILES = frozenset({
    "data.path", "data.test", "data.validation", "data.out_of_scope", "fast.unlabelled", "evaluate.bias_data",
    "evaluate.card",
})  # fmt: skip
"""Keys that name a file or folder of the user."""

MAYBE_FILES = frozenset({"fast.base", "fast.teacher", "encoder.base", "encoder.teachers", "validate.tokenizer"})
"""Keys that name a file or folder, or else a package or a model of a hub."""

LEFT_OUT = frozenset({"run.tracking", "run.experiment", "export.labelstream"})
"""Of one machine: they change no package."""


def recipe(settings: Settings) -> dict[str, dict[str, Any]]:
    """Section -> key -> value of what is not as by default. `settings` are those after the search."""
    plain, own = Settings().dump(), settings.dump()
    other = "encoder" if settings.run.tier == "fast" else "fast"
    found: dict[str, dict[str, Any]] = {}
    for section, keys in own.items():
        if section in ("tune", "gate", "register", other):
            continue
        for key, value in keys.items():
            if value != plain[section][key] and f"{section}.{key}" not in LEFT_OUT:
                found.setdefault(section, {})[key] = _portable(f"{section}.{key}", value)
    return found


def _portable(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_portable(key, each) for each in value]
    if isinstance(value, str) and (key in FILES or (key in MAYBE_FILES and Path(value).exists())):
        return value.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return value
