"""Augments the training texts with unlabelled variants for a teacher to label.

On the training texts themselves the teacher mostly repeats the labels. Variants show what it predicts elsewhere (Tang
et al. 2019, "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks", section 3.3).
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

WORD_DROP_SHARE = 0.2
"""Share of the words that a variant drops; more leaves too little to classify."""


def invent(texts: Sequence[str], kinds: Sequence[object], copies: int, seed: int) -> list[str]:
    """`copies` new texts for each text, in its order; the same arguments give the same texts.

    `kinds` are the labels (anything hashable): a text is often combined with one of the same label.
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
    """A run of words, at least half of the text."""
    length = dice.randint((len(words) + 1) // 2, len(words))
    start = dice.randint(0, len(words) - length)
    return words[start : start + length]


def _cross(words: list[str], other: list[str], dice: random.Random) -> list[str]:
    """The start of one text and the end of another, cut at the same relative position."""
    share = dice.random()
    return words[: round(share * len(words))] + other[round(share * len(other)) :] or words[:1]


def _mistyped(words: list[str], dice: random.Random) -> list[str]:
    """One word with a letter dropped, doubled or swapped with the next."""
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
