"""The settings `[export]`: how the package is stored, and when it abstains."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ..section import Section

Storage = Literal["fp32", "int8", "int8_dynamic"]
"""`int8`: weights stored in 8 bits, computed in fp32. `int8_dynamic`: computed in 8 bits as well."""

ENCODER_TOKENS_MAX = 128
"""Default of `tokens_max` for the encoder. It is trained on 64 tokens, but reading up to 128 keeps longer
messages accurate (`lengths` measures it), while a limit of 64 would drop their ends."""


class ExportSettings(Section):
    """How OUT/train becomes OUT/package."""

    licence: str = Field("Apache-2.0", min_length=1)
    """Licence of the weights, as an SPDX name."""
    storage: Storage = "int8"
    """Storage of the shipped model: `fp32`; `int8`, 8-bit weights that compute in fp32; `int8_dynamic`, computes in 8
    bits: fastest, but scores depend on the other texts of a batch. The export writes and measures all three."""
    tokens_max: int | None = Field(None, ge=8, le=8192)
    """Longest input in tokens, special tokens included; default: 128 for the encoder, fast.tokens_max for the fast
    tier."""
    abstain_precision: float | None = Field(None, gt=0.0, lt=1.0)
    """Single-label: abstain below the lowest score above which at least this share of the held-out answers is right,
    for the lower end of the 95 % interval."""
    abstain_coverage: float | None = Field(None, gt=0.0, lt=1.0)
    """Single-label: abstain below the score that this share of the held-out texts reaches."""
    label_texts_min: int = Field(20, ge=1)
    """Multi-label: a label with fewer held-out texts gets the common threshold."""
    threshold_weight: float = Field(20.0, ge=0.0)
    """Multi-label: weight of the common threshold, in texts, when averaged with a label's own best one."""
    golden_texts: int = Field(12, ge=0, le=100)
    """Held-out texts that labelstream.json lists with their scores, which a loader checks before it uses the package.
    Texts with personal data are skipped, edge cases are added; 0: no texts of the data."""
    compare_texts_max: int = Field(1000, ge=1)
    """Compare the storages on at most this many held-out and as many test texts."""
    drift_reference: bool = True
    """Put a drift reference into the package: counts of the labels, scores and words of the held-out and test
    texts."""
    labelstream: str = ""
    """The `labelstream` program, which creates the drift reference; default: LABELSTREAM of the environment, then the
    PATH, then the checkout's `target` folder."""

    @model_validator(mode="after")
    def _abstains_one_way(self) -> Self:
        if self.abstain_precision is not None and self.abstain_coverage is not None:
            raise ValueError("abstain_precision and abstain_coverage exclude each other")
        return self
