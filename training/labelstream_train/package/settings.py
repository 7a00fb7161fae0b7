"""The settings `[export]`."""

from ..section import Section


class ExportSettings(Section):
    """What the package holds, and how its numbers are stored."""
