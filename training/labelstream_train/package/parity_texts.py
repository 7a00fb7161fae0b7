"""Texts on which two implementations of a tokenizer and a model must agree: real messages, and edge cases.

Real messages come from data sets if there are any, else sentences are generated from a short list of words. The rest is
random: the same seed and data give the same texts. Each has a `kind`, which shows whether a difference is about emoji,
long texts, and so on.
"""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

DATASETS = ("throughput_mix/stream.jsonl.gz", "banking77/test.jsonl.gz", "goemotions/test.jsonl.gz")
REAL_SHARE = 0.5
"""Share of real texts; the rest is spread evenly over the other kinds."""

LONG_BYTES = 20_000

WORDS = (
    "my card is not here yet and i want to know why the payment was declined when did you change fee please help "
    "account transfer money back refund wrong exchange rate cash machine identity verify order cancel top up pending "
    "limit PIN Where How WHY Can't don't e-mail co-op 2 3.50 £20 1,000 24/7 #5 50% v2.1 (see below) thanks"
).split()
EMOJI = ("💳", "😭", "🙏🏽", "👨‍👩‍👧‍👦", "🇬🇧", "❤️", "1️⃣", "🏳️‍🌈", "🫠", "✈", "™", "🧑🏿‍🚀")
SCRIPTS = {
    "arabic": ((0x0627, 0x064A), (0x064B, 0x0652), (0x0660, 0x0669)),
    "chinese": ((0x4E00, 0x9FFF), (0x3400, 0x34FF), (0x20000, 0x20100)),
    "other scripts": (
        (0x0400, 0x04FF), (0x0370, 0x03FF), (0x05D0, 0x05EA), (0x0900, 0x097F), (0x0E01, 0x0E3A), (0x3041, 0x30FF),
        (0xAC00, 0xD7A3), (0x10A0, 0x10FF), (0x0530, 0x058F), (0x1E00, 0x1EFF), (0x0130, 0x0131), (0xFB00, 0xFB06),
    ),
}  # fmt: skip
ODD = {
    "combining marks": (0x0300, 0x036F),
    "zero width": (0x200B, 0x200F),
    "control characters": (0x0000, 0x001F),
}
SURROGATES = range(0xD800, 0xE000)


def draw(count: int, seed: int, datasets: Path | None) -> Iterator[tuple[str, str]]:
    """`count` pairs (kind, text), in random order. `datasets` is the folder of data sets, if there is one."""
    dice = random.Random(seed)
    made = _makers(dice)
    real = round(count * REAL_SHARE)
    rows = list(_real(real, dice, datasets))
    names = list(made)
    rows += [(names[number % len(names)], made[names[number % len(names)]]()) for number in range(count - len(rows))]
    dice.shuffle(rows)
    yield from rows


def sentence(dice: random.Random) -> str:
    """3 to 30 words as in English support messages."""
    return " ".join(dice.choices(WORDS, k=dice.randint(3, 30)))


def _real(count: int, dice: random.Random, datasets: Path | None) -> Iterator[tuple[str, str]]:
    files = [datasets / name for name in DATASETS if (datasets / name).is_file()] if datasets else []
    if not files:
        yield from (("english", sentence(dice)) for _ in range(count))
        return
    for place, file in enumerate(files):
        texts = _texts(file)
        wanted = count // len(files) + (place < count % len(files))
        chosen = dice.sample(texts, wanted) if wanted <= len(texts) else dice.choices(texts, k=wanted)
        yield from ((file.parent.name, text) for text in chosen)


def _texts(file: Path) -> list[str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def _makers(dice: random.Random) -> dict[str, Callable[[], str]]:
    def among(pieces: Callable[[], str]) -> str:
        """A sentence with such characters between and inside its words."""
        words = sentence(dice).split()
        for _ in range(dice.randint(1, 6)):
            place = dice.randrange(len(words))
            cut = dice.randint(0, len(words[place]))
            words[place] = words[place][:cut] + pieces() + words[place][cut:]
        return dice.choice((" ", "  ", "\n", " ")).join(words)

    def script(name: str) -> Callable[[], str]:
        def word() -> str:
            low, high = dice.choice(SCRIPTS[name])
            return "".join(chr(dice.randint(low, high)) for _ in range(dice.randint(1, 9)))

        return lambda: " ".join(
            word() if dice.random() < 0.8 else dice.choice(WORDS) for _ in range(dice.randint(1, 25))
        )

    def long() -> str:
        """About 20 kB: a repeated sentence, real words, one script, or spaces around a sentence."""
        way = dice.randrange(4)
        if way == 0:
            return _filled(sentence(dice) + ". ")
        if way == 1:
            return " ".join(sentence(dice) for _ in range(LONG_BYTES // 60))
        if way == 2:
            return _filled(script(dice.choice(list(SCRIPTS)))() + " ")
        return " " * dice.randint(0, LONG_BYTES) + sentence(dice) + "\n" * dice.randint(1, LONG_BYTES // 2)

    def anything() -> str:
        points = (dice.randint(0, 0x10FFFF) for _ in range(dice.randint(1, 80)))
        return "".join(chr(point) for point in points if point not in SURROGATES) or "?"

    return {
        "emoji": lambda: among(lambda: dice.choice(EMOJI)),
        **{name: script(name) for name in SCRIPTS},
        **{name: (lambda ends=ends: among(lambda: chr(dice.randint(*ends)))) for name, ends in ODD.items()},
        "white space": lambda: among(
            lambda: dice.choice(" \t\r\n\u00a0\u2003\u3000\u2028\u0085\ufeff") * dice.randint(1, 40)
        ),
        "one word": lambda: "".join(dice.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=dice.randint(1, 300))),
        "punctuation": lambda: "".join(
            dice.choices("?!.,;:'\"()[]{}<>/\\|@#$%^&*-_=+~`‘’“”–—…«»¿¡", k=dice.randint(1, 60))
        ),
        "any characters": anything,
        "20 kB": long,
    }


def _filled(piece: str) -> str:
    return piece * (LONG_BYTES // len(piece.encode()) + 1)
