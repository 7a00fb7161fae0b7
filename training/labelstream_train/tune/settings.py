"""The settings `[tune]`."""

from pydantic import Field

from ..section import Section


class TuneSettings(Section):
    """The search for better settings."""

    trials: int = Field(0, ge=0, description="Trials of the study; 0 leaves tuning out.")
