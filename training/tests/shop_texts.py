"""Made-up messages to a shop, for tests that train: five intents, in the words of a few templates.

With `is_shuffled` the labels are dealt out at random: data from which no good model can come.
"""

import csv
import random
from pathlib import Path

INTENTS = {
    "change_address": (
        ("change", "update", "correct", "edit"),
        ("my address", "the street name", "my postcode", "where I live"),
    ),
    "opening_hours": (
        ("when do you open", "are you open", "what time do you close"),
        ("on sunday", "today", "on holidays"),
    ),
    "pay_invoice": (
        ("pay", "settle", "transfer money for", "clear"),
        ("the invoice", "my bill", "what I owe", "the balance"),
    ),
    "return_item": (
        ("return", "send back", "give back", "refuse"),
        ("these shoes", "the jacket", "a broken lamp", "my order"),
    ),
    "track_parcel": (
        ("where is", "track", "locate", "status of"),
        ("my parcel", "the delivery", "my shipment", "the courier"),
    ),
}
STARTS = (
    "please",
    "hello,",
    "hi,",
    "can I",
    "I want to",
    "could you help me to",
    "how do I",
    "I need to",
    "",
    "urgent:",
)
ENDS = (
    "",
    "thanks",
    "as soon as possible",
    "for my sister",
    "number {n}",
    "again",
    "if possible",
    "ordered on the {n}th",
    "!",
)


def rows(each: int = 160, is_shuffled: bool = False, seed: int = 5) -> list[tuple[str, str]]:
    """(text, intent), no text twice, in an order drawn from the seed."""
    dice = random.Random(seed)
    texts: dict[str, str] = {}
    for intent, (verbs, things) in INTENTS.items():
        wanted = len(texts) + each
        while len(texts) < wanted:
            words = (dice.choice(STARTS), dice.choice(verbs), dice.choice(things), dice.choice(ENDS))
            texts[" ".join(" ".join(words).format(n=dice.randint(1, 28)).split())] = intent
    labels = list(texts.values())
    if is_shuffled:
        dice.shuffle(labels)
    found = list(zip(texts, labels, strict=True))
    dice.shuffle(found)
    return found


def write(path: Path, is_shuffled: bool = False) -> Path:
    """A CSV file with the columns `utterance` and `intent`."""
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("utterance", "intent"))
        writer.writerows(rows(is_shuffled=is_shuffled))
    return path
