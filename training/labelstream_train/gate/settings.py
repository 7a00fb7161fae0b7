"""Section `[gate]` of the settings file."""

from pathlib import Path

from ..section import Section


class GateSettings(Section):
    """Which rules a package must meet, and which package it must not be worse than."""

    rules: Path | None = None
    """TOML file of rules; the default file of this package when it is not set."""

    champion: str | None = None
    """Package in use that the new one is compared with: a folder, or `models:/NAME@champion` of the registry.
    Empty for none."""
