"""Values of `--set` whose quotes a shell took away: `[a, b]` and `{a = b, c = [d]}` instead of `["a", "b"]`.

`make train ARGS="--set data.slices=['a','b']"` gives the program `data.slices=[a,b]`. Words that TOML knows (numbers,
true, false) are read as such; everything else is the text between the marks.
"""

import tomllib
from typing import Any

_OPEN, _CLOSE = "[{", "]}"


def value(text: str) -> Any:
    """A list, a table or a word; what does not close is the text as it stands."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]") and (found := _parts(text[1:-1])) is not None:
        return [value(each) for each in found]
    if text.startswith("{") and text.endswith("}") and (found := _parts(text[1:-1])) is not None:
        pairs = [each.partition("=") for each in found]
        if all(key.strip() and equals for key, equals, _ in pairs):
            return {_unquoted(key.strip()): value(each) for key, _, each in pairs}
    return _word(text)


def items(text: str) -> list[Any]:
    """`a,b` where a list is expected."""
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
    """Cut at commas outside of brackets and quotes; None where they do not match. A comma at the end adds nothing."""
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
