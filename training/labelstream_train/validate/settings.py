"""The settings `[validate]`."""

from ..section import Section


class ValidateSettings(Section):
    """What the data is checked for."""
