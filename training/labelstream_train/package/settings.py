"""`[export]` of the settings file: how the package is stored, and what it may leave unanswered."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ..section import Section

Storage = Literal["fp32", "int8", "int8_dynamic"]
"""`int8`: weights stored in 8 bits, computed in fp32. `int8_dynamic`: computed in 8 bits as well."""


class ExportSettings(Section):
    """How OUT/train becomes OUT/package."""

    licence: str = Field("Apache-2.0", min_length=1)
    """Licence of the weights, as an SPDX name."""
    storage: Storage = "int8"
    """What ships: `fp32`; `int8`, weights in 8 bits that compute as fp32; `int8_dynamic`, computes in 8 bits: fastest,
    but scores depend on the other texts of a batch. All three are written and measured."""
    tokens_max: int | None = Field(None, ge=8, le=8192)
    """Longest input in tokens, special ones included; default: 128 for the encoder, 1024 for the fast tier."""
    abstain_precision: float | None = Field(None, gt=0.0, lt=1.0)
    """Single label: give no label below the lowest score over which the label is right in at least this share of the
    held-out texts, for the lower end of the 95 % interval."""
    abstain_coverage: float | None = Field(None, gt=0.0, lt=1.0)
    """Single label: give no label below the score that this share of the held-out texts reaches."""
    label_texts_min: int = Field(20, ge=1)
    """Multi-label: a label with fewer held-out texts gets the threshold common to all."""
    threshold_weight: float = Field(20.0, ge=0.0)
    """Multi-label: a label's own best threshold is averaged with the common one, which weighs as many texts as this."""
    golden_texts: int = Field(12, ge=0, le=100)
    """Held-out texts that stand in labelstream.json with their scores, which a loader checks before using the package;
    texts with personal data are not taken. Edge cases come on top; 0 keeps every text of the data out of it."""
    compare_texts_max: int = Field(1000, ge=1)
    """Held-out and test texts, each at most this many, on which the storages are compared."""
    drift_reference: bool = True
    """Put a drift reference into the package: counts of the labels, scores and words of the held-out and test
    texts."""
    labelstream: str = ""
    """The `labelstream` program that makes the drift reference; default: the environment's LABELSTREAM, then the PATH,
    then the checkout's `target` folder."""

    @model_validator(mode="after")
    def _abstains_one_way(self) -> Self:
        if self.abstain_precision is not None and self.abstain_coverage is not None:
            raise ValueError("abstain_precision and abstain_coverage exclude each other")
        return self
