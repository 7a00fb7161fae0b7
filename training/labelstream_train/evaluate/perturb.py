"""Perturbations: ways in which people and programs write the same text differently, without changing its meaning.

Every function takes a text and a seeded random generator, and returns the changed text, or the same one if there is
nothing to change (no accent to remove, a single word to cut).
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from random import Random

ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
"""A keyboard; neighbours are the keys left, right, above and below."""

TYPOS_SHARE = 0.1
"""Share of the words that get a typo, at least one."""

EMOJI = ("🙂", "😊", "😭", "🙏", "👍", "😡", "🤔", "💳", "❤️", "🎉")
LEET = str.maketrans("aeiostAEIOST", "431057431057")
ACCENTS = str.maketrans("aeiounc", "áéíóúñç")

Perturbation = Callable[[str, Random], str]


def _neighbours() -> dict[str, str]:
    found: dict[str, str] = {}
    for row, keys in enumerate(ROWS):
        for column, key in enumerate(keys):
            near = keys[max(0, column - 1) : column] + keys[column + 1 : column + 2]
            for other in (row - 1, row + 1):
                if 0 <= other < len(ROWS) and column < len(ROWS[other]):
                    near += ROWS[other][column]
            found[key] = "".join(each for each in near if each.isalpha())
    return found


NEIGHBOURS = _neighbours()


def _in_words(change: Callable[[str, Random], str]) -> Perturbation:
    """Applies `change` to some words of at least four letters, or to the longest word."""

    def perturb(text: str, dice: Random) -> str:
        words = [found.span() for found in re.finditer(r"[^\W\d_]{4,}", text)]
        if not words:
            words = [found.span() for found in re.finditer(r"[^\W\d_]{2,}", text)]
        if not words:
            return text
        count = max(1, round(len(words) * TYPOS_SHARE))
        for start, end in sorted(dice.sample(words, count), reverse=True):
            text = text[:start] + change(text[start:end], dice) + text[end:]
        return text

    return perturb


def _near_key(word: str, dice: Random) -> str:
    places = [place for place, each in enumerate(word) if NEIGHBOURS.get(each.lower())]
    if not places:
        return word
    place = dice.choice(places)
    return word[:place] + dice.choice(NEIGHBOURS[word[place].lower()]) + word[place + 1 :]


def _swapped(word: str, dice: Random) -> str:
    place = dice.randrange(len(word) - 1)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _dropped(word: str, dice: Random) -> str:
    place = dice.randrange(len(word))
    return word[:place] + word[place + 1 :]


def _doubled(word: str, dice: Random) -> str:
    place = dice.randrange(len(word))
    return word[: place + 1] + word[place:]


def _title(text: str, dice: Random) -> str:
    return text.title()


def _no_punctuation(text: str, dice: Random) -> str:
    return " ".join("".join(each if not unicodedata.category(each).startswith("P") else " " for each in text).split())


def _shouting(text: str, dice: Random) -> str:
    return text.rstrip(".?! ") + dice.choice(("!!!", "???", "?!?!", "..."))


def _emoji(text: str, dice: Random) -> str:
    return f"{text} {dice.choice(EMOJI)}{dice.choice(EMOJI)}"


def _emoji_inside(text: str, dice: Random) -> str:
    words = text.split()
    words.insert(dice.randrange(len(words) + 1), dice.choice(EMOJI))
    return " ".join(words)


def _cut(share: float) -> Perturbation:
    def perturb(text: str, dice: Random) -> str:
        words = text.split()
        return " ".join(words[: max(1, round(len(words) * share))]) if words else text

    return perturb


def _white_space(text: str, dice: Random) -> str:
    return "  " + re.sub(r"\s+", lambda found: dice.choice(("  ", "\n", "\t", "\u00a0", "   ")), text) + " \n"


def _no_accents(text: str, dice: Random) -> str:
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(each for each in apart if unicodedata.category(each) != "Mn"))


def _accents(text: str, dice: Random) -> str:
    return "".join(each.translate(ACCENTS) if dice.random() < 0.2 else each for each in text)


def _leet(text: str, dice: Random) -> str:
    return "".join(each.translate(LEET) if dice.random() < 0.3 else each for each in text)


PERTURBATIONS: dict[str, Perturbation] = {
    "typo: neighbouring key": _in_words(_near_key),
    "typo: two letters swapped": _in_words(_swapped),
    "typo: a letter missing": _in_words(_dropped),
    "typo: a letter twice": _in_words(_doubled),
    "all lower case": lambda text, dice: text.lower(),
    "all upper case": lambda text, dice: text.upper(),
    "Title Case": _title,
    "no punctuation": _no_punctuation,
    "more punctuation": _shouting,
    "emoji at the end": _emoji,
    "emoji between words": _emoji_inside,
    "last quarter cut off": _cut(0.75),
    "second half cut off": _cut(0.5),
    "other white space": _white_space,
    "accents taken off": _no_accents,
    "accents added": _accents,
    "leetspeak": _leet,
}


def apply(name: str, texts: Sequence[str], seed: int) -> list[str]:
    """The texts after one perturbation; its randomness depends only on the seed, the name and a text's position."""
    change = PERTURBATIONS[name]
    return [change(text, Random(f"{seed}/{name}/{place}")) for place, text in enumerate(texts)]
