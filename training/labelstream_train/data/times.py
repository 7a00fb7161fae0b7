"""Reads times in the forms that programs write, and reports the form, so that mixtures are noticed.

A time without an offset is UTC. Ambiguous formats (1/2/2026) are never guessed: the user names the format, and the
message suggests one that fits.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Literal

MILLISECONDS_FROM = 100_000_000_000
"""A number from here on is Unix time in milliseconds, a smaller one in seconds (in seconds it is the year 5138)."""

Form = Literal["ISO 8601 with an offset", "ISO 8601 without an offset", "Unix seconds", "Unix milliseconds", "a format"]

_DAYS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%a, %d %b %Y", "%a %b %d %Y",
)  # fmt: skip
_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S", ", %I:%M:%S %p", " %H:%M:%S %z",
    " %H:%M:%S.%f", "T%H:%M:%S",
)  # fmt: skip
FORMATS = (
    *(day + clock for day in _DAYS for clock in _CLOCKS),
    "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y", "%d/%b/%Y:%H:%M:%S %z", "%Y%m%d %H:%M:%S", "%H:%M:%S %d.%m.%Y",
)  # fmt: skip
"""Formats of spreadsheets, mail and web servers, most likely first; day before month if both fit."""


def time_of(value: Any, form: str | None = None) -> int | None:
    """Unix time in ms of a datetime, a date, a number, an ISO 8601 string (without offset: UTC), or a string in the
    format `form`; else None."""
    return read(value, form)[0]


def read(value: Any, form: str | None = None) -> tuple[int | None, Form | None]:
    """The time in ms, and its form."""
    told: Form | None = None
    if isinstance(value, str):
        value, told = _parsed(value.strip(), form)
    if isinstance(value, datetime):
        told = told or ("ISO 8601 with an offset" if value.tzinfo else "ISO 8601 without an offset")
        return round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000), told
    if isinstance(value, date):
        return read(datetime(value.year, value.month, value.day))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) > 1e15:
        return None, None
    is_ms = abs(value) >= MILLISECONDS_FROM
    return round(value if is_ms else value * 1000), "Unix milliseconds" if is_ms else "Unix seconds"


def fitting(values: Iterable[str]) -> str | None:
    """The first format that reads all values; None if there is none."""
    texts = [value.strip() for value in values]
    return next((form for form in FORMATS if texts and all(_fits(text, form) for text in texts)), None)


def _parsed(text: str, form: str | None) -> tuple[Any, Form | None]:
    if form is not None:
        try:
            return datetime.strptime(text, form), "a format"
        except ValueError:
            return None, None
    try:
        return datetime.fromisoformat(text), None
    except ValueError:
        try:
            return float(text), None
        except ValueError:
            return None, None


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True
