"""Sources and licences of the training data: `data` in labelstream.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..data.settings import DataSettings


@dataclass(frozen=True, slots=True)
class Source:
    """A known data set; `sha256` is that of its train file on disk."""

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
"""The data set of the default package."""

CLINC150 = Source(
    name="clinc150",
    licence="CC-BY-3.0",
    attribution=(
        "Larson, Mahendran, Peper, Clarke, Lee, Hill, Kummerfeld, Leach, Laurenzano, Tang and Mars, "
        "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction, 2019"
    ),
    sha256="aa2c76ea16c1d231471ad839c3ddacb6387eabacdb77173de2646bb825ee4649",
)

GOEMOTIONS = Source(
    name="goemotions",
    licence="CC-BY-4.0",
    attribution=(
        "Demszky, Movshovitz-Attias, Ko, Cowen, Nemade and Ravi, GoEmotions: A Dataset of Fine-Grained Emotions, 2020"
    ),
    sha256="77ed81b285ae81feb4e06426cd498097b38c1d7dc627e4d74481a1d82eba9729",
)

KNOWN = {source.sha256: source for source in (BANKING77, CLINC150, GOEMOTIONS)}


def known(facts: Mapping[str, Any]) -> Source | None:
    """The known data set that a file belongs to, by digest."""
    return next((KNOWN[file["sha256"]] for file in facts.get("files", ()) if file["sha256"] in KNOWN), None)


def entry(facts: Mapping[str, Any], settings: DataSettings) -> dict[str, Any]:
    """The data's entry in labelstream.json: from the settings, else from known data sets, else the file name.

    `sha256` is that of the only file, or the fingerprint of all files.
    """
    found, said = known(facts), facts.get("data", {})
    files = facts.get("files", [])
    described = {
        "name": settings.name or (found.name if found else said.get("name") or "unnamed"),
        "licence": settings.licence or (found.licence if found else said.get("licence")),
        "attribution": settings.attribution or (found.attribution if found else said.get("attribution")),
        "sha256": files[0]["sha256"] if len(files) == 1 else facts.get("fingerprint"),
        "files": [{key: file[key] for key in ("name", "sha256", "rows") if key in file} for file in files],
        "dropped": {reason: int(count) for reason, count in facts.get("dropped", {}).items()},
    }
    return {key: value for key, value in described.items() if value is not None}
