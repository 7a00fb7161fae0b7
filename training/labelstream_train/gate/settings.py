"""Section `[gate]` of the settings file."""

from pathlib import Path

from ..section import Section


class GateSettings(Section):
    """The rules that a package must pass, and the package that it must match."""

    rules: Path | None = None
    """TOML file of rules; default: the built-in rules."""

    champion: str | None = None
    """Package in use, with which the new one is compared: a folder, or `models:/NAME@champion` of the registry;
    default: none."""
