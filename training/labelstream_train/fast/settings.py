"""The settings `[fast]`."""

from ..section import Section


class FastSettings(Section):
    """Training of the fast tier."""
