"""The settings that reproduce a package, without what belongs to one machine or to the search.

Values that the search found are included as plain settings; the search itself is not, as it could choose others. Files
are reduced to their names, since the model card lists their digests; names of hub models stay whole.
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
"""Keys that name a file or folder, or else an installed package or a model on a hub."""

LEFT_OUT = frozenset({"run.tracking", "run.experiment", "export.labelstream"})
"""Specific to one machine; they do not change the package."""


def recipe(settings: Settings) -> dict[str, dict[str, Any]]:
    """Section -> key -> value of every setting that differs from its default. `settings` include the search's
    result."""
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
