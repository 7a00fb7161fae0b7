"""Cuts rows into train, held-out and test, so that no text, group or time leaks from one into another."""

from .examples import Parts
from .load import Loaded
from .settings import DataSettings, SplitSettings


def split(loaded: Loaded, data: DataSettings, settings: SplitSettings) -> Parts:
    """The parts of everything `loaded` without a problem; the same seed gives the same parts."""
    raise NotImplementedError


def normal(text: str) -> str:
    """Two texts with the same normal form count as one: case and white space are ignored."""
    return " ".join(text.casefold().split())
