"""Names in data: of columns and of labels, and which ways of writing one are the same.

Files come from many programs: one writes `Text`, another ` text `; one writes ü as one character, another as two;
pandas turns 1 into 1.0 where a value is missing. None of these makes another column or another label.
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
"""Unicode's dashes, underscores, spaces, and what is not seen."""


def normal_name(name: str) -> str:
    """Columns with the same normal name are the same: case and outer spaces do not count."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def quoted(names: Iterable[str]) -> str:
    """Names for a message, so that their outer spaces are seen."""
    return ", ".join(f"'{name}'" for name in names)


def column(wanted: str, found: Sequence[str], file: str) -> str | None:
    """The name that the file has for the column `wanted`; two that could be meant are an error."""
    if wanted in found:
        return wanted
    same = [name for name in found if normal_name(name) == normal_name(wanted)]
    if len(same) > 1:
        raise UserError(f"read {file}: several columns could be '{wanted}': {quoted(same)}; write it as the file does")
    return same[0] if same else None


def word(value: Any, place: str, named: str) -> str | None:
    """A value as a name, or None where there is none: 3 and 3.0 are "3", true is "true", bytes are read as UTF-8.

    Outer spaces are no part of a name, and it is in Unicode's composed form (NFC). What is no name (an object, a list,
    a date) is an error with its place: as text it would be Python's notation of it.
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
    """What a value is, in the words of JSON where it has one, and how it begins."""
    names = {dict: "an object", list: "a list", tuple: "a list"}
    return f"{names.get(type(value), f'a {type(value).__name__}')} ({str(value)[:40]})"


def whole(label: str) -> str:
    """1 of 1.0; what is no whole number stays."""
    return label.partition(".")[0] if _WHOLE.fullmatch(label) else label


def normal_label(label: str) -> str:
    """Labels with the same normal form are spellings of one.

    Case, spaces, dashes and underscores do not count, and 1.0 is 1.
    Other punctuation does: c, c++ and c# are three labels, and so are 1.1 and 11.
    """
    kept = "".join(each for each in whole(label).casefold() if unicodedata.category(each) not in _JOINERS)
    return "".join(kept.split()) or label


def same_numbers(labels: Iterable[str]) -> dict[str, str]:
    """Label -> the way it is written from now on, where 1.0 and 1 both occur and all labels are whole numbers."""
    distinct = set(labels)
    if not all(_WHOLE.fullmatch(label) for label in distinct):
        return {}
    with_point = {label for label in distinct if "." in label}
    return {} if len(with_point) in (0, len(distinct)) else {label: whole(label) for label in with_point}
