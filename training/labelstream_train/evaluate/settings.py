"""The settings `[evaluate]`."""

from ..section import Section


class EvaluateSettings(Section):
    """What is measured on the finished package."""
