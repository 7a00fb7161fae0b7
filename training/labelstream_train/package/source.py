"""Where training data comes from and on which terms: `data` in labelstream.json."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """`sha256` is that of the train file as it lies on disk."""

    name: str
    licence: str
    attribution: str
    sha256: str


BANKING77 = Source(
    name="banking77",
    licence="CC-BY-4.0",
    attribution=(
        "PolyAI, Banking77: Casanueva, Temcinas, Gerz, Henderson and Vulic, "
        "Efficient Intent Detection with Dual Sentence Encoders, 2020"
    ),
    sha256="b1bef7c8ffb3edc2446ef99d4e8e6a4395595d5aafc10106aa8893e09c2969f8",
)
"""What the default package is made from."""
