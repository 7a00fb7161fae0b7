"""Finds identity terms in texts, and swaps them for other terms.

A *context* is a text with a hole in place of one identity term. The texts of a context differ only in that term, so a
model that answers them differently does so because of the term.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

TERMS: dict[str, tuple[str, ...]] = {
    "religion": (
        "christian",
        "muslim",
        "jewish",
        "buddhist",
        "hindu",
        "sikh",
        "taoist",
        "catholic",
        "protestant",
        "atheist",
    ),
    "origin": (
        "african american",
        "middle eastern",
        "african",
        "american",
        "arab",
        "asian",
        "canadian",
        "chinese",
        "european",
        "french",
        "german",
        "hispanic",
        "indian",
        "japanese",
        "latina",
        "latino",
        "latinx",
        "mexican",
        "nigerian",
        "polish",
        "russian",
        "turkish",
        "black",
        "white",
    ),
    "orientation": (
        "bisexual",
        "gay",
        "heterosexual",
        "homosexual",
        "lesbian",
        "lgbt",
        "lgbtq",
        "queer",
        "straight",
    ),
    "gender": ("cis", "female", "male", "nonbinary", "trans", "transgender"),
    "age": ("elderly", "middle aged", "millenial", "millennial", "old", "older", "teenage", "young", "younger"),
    "disability": ("blind", "deaf", "paralyzed", "disabled", "autistic"),
    "man or woman": ("man", "woman"),
    "husband or wife": ("husband", "wife"),
    "son or daughter": ("son", "daughter"),
    "father or mother": ("father", "mother"),
    "boyfriend or girlfriend": ("boyfriend", "girlfriend"),
    "brother or sister": ("brother", "sister"),
}
"""Groups of interchangeable terms: those of the Unintended Bias madlibs, and some more."""

AMBIGUOUS = frozenset({
    "african", "american", "arab", "asian", "black", "blind", "canadian", "chinese", "deaf", "european",
    "french", "german", "hispanic", "indian", "japanese", "mexican", "middle eastern", "nigerian", "old",
    "older", "polish", "russian", "straight", "turkish", "white", "young", "younger",
})  # fmt: skip
"""Terms that often mean something else ("old card", "white noise", "asian cuisine"): ignored in users' texts."""

OTHERS_MAX = 8
"""How many other terms replace a term in a user's text."""

HOLE = "\u2026"


@dataclass(frozen=True, slots=True)
class Swap:
    """One text of a context: `context` is the text with a hole, `truth` its label in the source, if any."""

    context: str
    term: str
    text: str
    truth: str | None = None


def pattern(terms: Sequence[str]) -> re.Pattern[str]:
    """Finds any of the terms as whole words, the longest first ("african american" before "american")."""
    ordered = sorted(terms, key=lambda term: (-len(term), term))
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, ordered))})(?!\w)", re.IGNORECASE)


def from_rows(
    rows: Sequence[Mapping[str, object]], text: str, label: str | None, identity: str | None = "identity"
) -> list[Swap]:
    """Swaps from a file of given sentences. The column `identity` names the term; without it, known terms are searched.

    A text with two terms belongs to two contexts. Texts without a term are left out.
    """
    known = pattern([term for terms in TERMS.values() for term in terms])
    found = []
    for row in rows:
        sentence, truth = str(row[text]), None if label is None else str(row[label])
        named = row.get(identity) if identity else None
        places = pattern([str(named)]).finditer(sentence) if named else known.finditer(sentence)
        for place in places:
            context = sentence[: place.start()] + HOLE + sentence[place.end() :]
            found.append(Swap(context.casefold(), place.group().casefold(), sentence, truth))
    return list(dict.fromkeys(found))


def from_texts(texts: Sequence[str]) -> list[Swap]:
    """Each text that contains an identity term, with that term and with others of the same group.

    The article is corrected ("a muslim" to "an atheist"), and a capital first letter kept.
    """
    found = []
    for group, terms in TERMS.items():
        clear = [term for term in terms if term not in AMBIGUOUS]
        known = pattern(clear)
        for text in texts:
            for place in known.finditer(text):
                context = f"{text[: place.start()]}{HOLE}{text[place.end() :]}"
                old = place.group().casefold()
                others = Random(f"{group}/{context}").sample(clear, len(clear))
                for term in [old, *[each for each in others if each != old][:OTHERS_MAX]]:
                    found.append(Swap(context, term, _put(text, place, term)))
    return list(dict.fromkeys(found))


def limited(swaps: Sequence[Swap], texts_max: int, seed: int) -> list[Swap]:
    """Random contexts with at most `texts_max` texts in total; drops contexts with one term."""
    by_context: dict[str, list[Swap]] = {}
    for swap in swaps:
        by_context.setdefault(swap.context, []).append(swap)
    usable = sorted(name for name, each in by_context.items() if len({swap.term for swap in each}) > 1)
    Random(seed).shuffle(usable)
    kept: list[Swap] = []
    for name in usable:
        if len(kept) + len(by_context[name]) <= texts_max:
            kept += by_context[name]
    return kept


def _put(text: str, place: re.Match[str], term: str) -> str:
    if place.group() == term:
        return text
    if place.group()[:1].isupper():
        term = term[:1].upper() + term[1:]
    before = re.sub(
        r"\b(a)n?( )$",
        lambda found: found.group(1) + ("n" if term[0].lower() in "aeio" else "") + found.group(2),
        text[: place.start()],
        flags=re.IGNORECASE,
    )
    return before + term + text[place.end() :]
