"""Makes up texts from train texts, for a teacher to answer: they carry no labels of their own.

A student that sees only the train texts learns the teacher's answers where the labels say the same
already. Texts between and around them show what the teacher does elsewhere (Tang et al. 2019,
"Distilling Task-Specific Knowledge from BERT into Simple Neural Networks", section 3.3).
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

WORD_DROP_SHARE = 0.2
"""Of the words of a text; more leaves too little to answer."""


def invent(texts: Sequence[str], kinds: Sequence[object], copies: int, seed: int) -> list[str]:
    """`copies` new texts for each text, in its order; the same arguments give the same texts.

    `kinds` are the labels (anything hashable): a text is often crossed with one of the same label.
    """
    dice = random.Random(seed)
    words = [text.split() for text in texts]
    same = defaultdict(list)
    for place, kind in enumerate(kinds):
        same[kind].append(place)
    makers: tuple[Callable[[int], list[str]], ...] = (
        lambda place: _cross(words[place], words[dice.choice(same[kinds[place]])], dice),
        lambda place: _without_words(words[place], dice),
        lambda place: _cross(words[place], words[dice.randrange(len(words))], dice),
        lambda place: _part(words[place], dice),
        lambda place: _mistyped(words[place], dice),
    )
    made = []
    for copy in range(copies):
        made += [" ".join(makers[(copy + place) % len(makers)](place)) for place in range(len(texts))]
    return made


def _without_words(words: list[str], dice: random.Random) -> list[str]:
    kept = [word for word in words if dice.random() >= WORD_DROP_SHARE]
    return kept or words[:1]


def _part(words: list[str], dice: random.Random) -> list[str]:
    """Neighbouring words, at least half of them."""
    length = dice.randint((len(words) + 1) // 2, len(words))
    start = dice.randint(0, len(words) - length)
    return words[start : start + length]


def _cross(words: list[str], other: list[str], dice: random.Random) -> list[str]:
    """The beginning of one text and the end of another, cut at the same share of both."""
    share = dice.random()
    return words[: round(share * len(words))] + other[round(share * len(other)) :] or words[:1]


def _mistyped(words: list[str], dice: random.Random) -> list[str]:
    """One word with a letter left out, doubled or exchanged with the next."""
    changed = list(words)
    if not changed:
        return changed
    place = dice.randrange(len(changed))
    word = changed[place]
    if len(word) > 1:
        at = dice.randrange(len(word) - 1)
        slips = (
            word[:at] + word[at + 1 :],
            word[: at + 1] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
        changed[place] = dice.choice(slips)
    return changed
