"""The script that a text is written in, by the Unicode names of its letters."""

import unicodedata
from collections import Counter
from functools import lru_cache


def script(text: str) -> str:
    """The script of most letters, by the first word of their Unicode names; "none" without letters."""
    scripts = Counter(_script_of(each) for each in text if each.isalpha())
    return max(scripts, key=lambda name: (scripts[name], name)) if scripts else "none"


@lru_cache(maxsize=65536)
def _script_of(letter: str) -> str:
    """The first word of the letter's name; CJK is HAN, FULLWIDTH LATIN is LATIN."""
    name = unicodedata.name(letter, "UNKNOWN").removeprefix("FULLWIDTH ").removeprefix("MODIFIER LETTER ")
    return "HAN" if name.startswith("CJK") else name.split(" ")[0].split("-")[0]
