"""Reads values of `--set` without their quotes, which a shell removes: `[a, b]` and `{a = b}` for `["a", "b"]`.

`make train ARGS="--set data.slices=['a','b']"` gives the program `data.slices=[a,b]`. Numbers, true and false
are read as in TOML; everything else is text.
"""

import tomllib
from typing import Any

_OPEN, _CLOSE = "[{", "]}"


def value(text: str) -> Any:
    """A list, a table or a word; a text with unbalanced brackets stays text."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]") and (found := _parts(text[1:-1])) is not None:
        return [value(each) for each in found]
    if text.startswith("{") and text.endswith("}") and (found := _parts(text[1:-1])) is not None:
        pairs = [each.partition("=") for each in found]
        if all(key.strip() and equals for key, equals, _ in pairs):
            return {_unquoted(key.strip()): value(each) for key, _, each in pairs}
    return _word(text)


def items(text: str) -> list[Any]:
    """Reads `a,b` as a list."""
    return [value(each) for each in _parts(text) or []]


def _word(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return found if isinstance(found, (str, bool, int, float)) else text


def _unquoted(key: str) -> str:
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] and key[0] in "'\"" else key


def _parts(text: str) -> list[str] | None:
    """Splits at commas outside brackets and quotes; None if these do not match. A trailing comma adds nothing."""
    parts, depth, quote = [""], 0, ""
    for mark in text:
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "'\"":
            quote = mark
        elif mark in _OPEN:
            depth += 1
        elif mark in _CLOSE:
            depth -= 1
        if mark == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += mark
        if depth < 0:
            return None
    if depth or quote:
        return None
    return [part.strip() for part in parts if part.strip()]
