"""Names of columns and labels, and which spellings are the same name.

Files come from many programs: one writes `Text`, another ` text `; one writes ü as one character, another as two;
pandas turns 1 into 1.0 if a value is missing. None of these makes another column or label.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

from ..errors import UserError

_WHOLE = re.compile(r"-?\d+(\.0+)?")
_JOINERS = ("Pd", "Pc", "Zs", "Cf")
"""Unicode categories of dashes, underscores, spaces and invisible characters."""


def normal_name(name: str) -> str:
    """Columns with the same normal name are the same: case and surrounding spaces do not matter."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def quoted(names: Iterable[str]) -> str:
    """Names in quotes for a message, so that surrounding spaces are visible."""
    return ", ".join(f"'{name}'" for name in names)


def column(wanted: str, found: Sequence[str], file: str) -> str | None:
    """The file's spelling of the column `wanted`; None if absent; two candidates are an error."""
    if wanted in found:
        return wanted
    same = [name for name in found if normal_name(name) == normal_name(wanted)]
    if len(same) > 1:
        raise UserError(f"read {file}: several columns match '{wanted}': {quoted(same)}; use the exact spelling of one")
    return same[0] if same else None


def word(value: Any, place: str, named: str) -> str | None:
    """A value as a name, or None if it is missing: 3 and 3.0 are "3", true is "true", bytes are UTF-8.

    Surrounding spaces are removed, and Unicode is composed (NFC). Other values (an object, a list, a date) are an error
    with their place: converted to text, they would be Python notation.
    """
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = decoded(bytes(value), place, named)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (float, Decimal)) and isfinite(value) and value == int(value):
        return str(int(value))
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise UserError(f"read {place}: `{named}` is {kind(value)}, expected text, a number, true or false")
    return unicodedata.normalize("NFC", value).strip()


def decoded(value: bytes, place: str, named: str) -> str:
    """Bytes as UTF-8 text."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise UserError(f"read {place}: `{named}` is {len(value)} bytes that are not UTF-8 text") from cause


def kind(value: Any) -> str:
    """The type of a value, in JSON's words if it has them, and its start."""
    names = {dict: "an object", list: "a list", tuple: "a list"}
    return f"{names.get(type(value), f'a {type(value).__name__}')} ({str(value)[:40]})"


def whole(label: str) -> str:
    """1 for 1.0; other labels stay."""
    return label.partition(".")[0] if _WHOLE.fullmatch(label) else label


def normal_label(label: str) -> str:
    """Labels with the same normal form are spellings of one label.

    Case, spaces, dashes and underscores do not matter, and 1.0 is 1. Other punctuation matters: c, c++ and c# are three
    labels, and so are 1.1 and 11.
    """
    kept = "".join(each for each in whole(label).casefold() if unicodedata.category(each) not in _JOINERS)
    return "".join(kept.split()) or label


def same_numbers(labels: Iterable[str]) -> dict[str, str]:
    """Label -> its common spelling, if all labels are integers and both 1.0 and 1 occur."""
    distinct = set(labels)
    if not all(_WHOLE.fullmatch(label) for label in distinct):
        return {}
    with_point = {label for label in distinct if "." in label}
    return {} if len(with_point) in (0, len(distinct)) else {label: whole(label) for label in with_point}
