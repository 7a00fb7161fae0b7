"""Finds personal data by patterns, confirmed by check digits if a number has them, and masks it.

A match is a hint, not proof, and no match is no proof either: names and postal addresses are not searched. Masking is
broader than finding: it also hides what only looks like a personal number.
"""

import importlib
import ipaddress
import re
from collections.abc import Callable, Iterable

from stdnum import iban, luhn

KINDS = ("email", "phone", "iban", "card", "ip", "national_id")

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*\.[A-Za-z]{2,24}\b")
_PHONE = re.compile(
    r"(?<![\w.,])(?<!\d )(?:(?:\+|00)\d[\d ()./-]{6,18}\d|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}"
    r"|0\d{2,4}[ /-]\d{3}[\d -]{2,8}\d)(?!\w)"
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.IGNORECASE)
_CARD = re.compile(
    r"(?<![\w.,-])(?<!\d )(?=[2-6])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|\d{4}[ -]\d{6}[ -]\d{5}|\d{13,19})(?![\w-])"
)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_LONG_NUMBER = re.compile(r"\d(?:[ ./-]?\d){6,}")
_TOKEN = re.compile(r"\b(?=\w*\d)[A-Za-z0-9_]{20,}\b")

SHOWN_CHARACTERS = 100
"""Characters of a text that a report shows."""

NATIONAL_IDS = {
    "br.cpf": r"\d{3}\.\d{3}\.\d{3}-\d{2}",
    "de.idnr": r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
    "es.dni": r"\d{8}-?[A-Z]",
    "es.nie": r"[XYZ]-?\d{7}-?[A-Z]",
    "fr.nir": r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}",
    "it.codicefiscale": r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]",
    "pl.pesel": r"\d{11}",
    "us.ssn": r"\d{3}-\d{2}-\d{4}",
}
"""Patterns of the numbers; python-stdnum tests the check digits, too. Numbers whose test accepts a tenth of all digits
(Dutch BSN, British NHS) are left out: order numbers would match them."""


def kinds(text: str, national_ids: Iterable[str] = ()) -> set[str]:
    """Which of `KINDS` a text seems to contain."""
    tests: dict[str, Callable[[], bool]] = {
        "email": lambda: "@" in text and _EMAIL.search(text) is not None,
        "phone": lambda: any(_is_phone(found.group()) for found in _PHONE.finditer(text)),
        "iban": lambda: any(_is_iban(found.group()) for found in _IBAN.finditer(text)),
        "card": lambda: any(_is_card(found.group()) for found in _CARD.finditer(text)),
        "ip": lambda: any(_is_ip(found.group()) for each in (_IPV4, _IPV6) for found in each.finditer(text)),
        "national_id": lambda: any(_has_national_id(text, name) for name in national_ids),
    }
    return {kind for kind, is_there in tests.items() if is_there()}


def mask(text: str) -> str:
    """The text with everything masked that could identify a person: [email], [phone], [iban], [number], [ip], [id]."""
    for pattern, name in (
        (_EMAIL, "[email]"),
        (_IBAN, "[iban]"),
        *((re.compile(rf"\b{NATIONAL_IDS[name]}\b"), "[id]") for name in NATIONAL_IDS),
        (_IPV4, "[ip]"),
        (_IPV6, "[ip]"),
        (_PHONE, "[phone]"),
        (_LONG_NUMBER, "[number]"),
        (_TOKEN, "[token]"),
    ):
        text = pattern.sub(name, text)
    return text


def shorten(text: str) -> str:
    """The start of a text on one line, with personal data masked and control characters escaped."""
    masked = mask(text[: 4 * SHOWN_CHARACTERS])
    visible = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in " ".join(masked.split(" ")))
    return visible if len(visible) <= SHOWN_CHARACTERS else visible[: SHOWN_CHARACTERS - 1] + "…"


def _is_phone(found: str) -> bool:
    return 8 <= sum(each.isdigit() for each in found) <= 15


def _is_iban(found: str) -> bool:
    """Drops the last groups one by one: the pattern may have matched words after the number."""
    while found:
        if iban.is_valid(found):
            return True
        found = found.rpartition(" ")[0]
    return False


def _is_card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    return len(set(digits)) > 1 and luhn.is_valid(digits)


def _is_ip(found: str) -> bool:
    """Public addresses only: private ones, and versions like 10.0.0.1, identify nobody."""
    try:
        return ipaddress.ip_address(found).is_global
    except ValueError:
        return False


def _has_national_id(text: str, name: str) -> bool:
    if not any(map(str.isdigit, text)):
        return False
    found = [match.group() for match in re.finditer(rf"(?<![\w.-]){NATIONAL_IDS[name]}(?![\w-])", text)]
    return bool(found) and any(map(importlib.import_module(f"stdnum.{name}").is_valid, found))
