"""What the `evaluate` stage measures and how long it takes: the section [evaluate] of the settings file."""

from pathlib import Path

from pydantic import Field

from ..section import Section


class EvaluateSettings(Section):
    """Every figure's interval is of 95 %, and every draw comes from `seed`."""

    seed: int = Field(0, ge=0, description="Of bootstrap draws, perturbations and samples.")
    bootstrap_repeats: int = Field(1000, ge=200, le=20_000, description="Draws of a bootstrap interval.")
    slice_texts_min: int = Field(30, ge=1, description="A slice with fewer texts is called too small to judge.")
    robustness_texts_max: int = Field(1000, ge=0, description="Test texts that are perturbed; 0 leaves it out.")
    bias_data: Path | None = Field(
        None, description="File with text and identity terms; absent: test texts that name an identity are used."
    )
    bias_text: str | None = Field(None, description="Column of the text in bias_data; none: the usual names.")
    bias_label: str | None = Field(None, description="Column of the label in bias_data; none: the usual names.")
    bias_identity: str | None = Field(
        None, description="Column of the identity term in bias_data; none: `identity`, or the known terms."
    )
    bias_texts_max: int = Field(15_000, ge=0, description="Texts of the bias report; 0 leaves it out.")
    bias_harmful: tuple[str, ...] = Field(
        (), description="The package's labels that mean harm, e.g. toxic; none: only flips and shifts are reported."
    )
    bias_harmful_truth: str = Field("toxic", description="The label in bias_data that means harm.")
    speed_repeats: int = Field(400, ge=0, le=100_000, description="Timed calls for each length; 0 leaves it out.")
    speed_minutes_max: float = Field(3.0, gt=0, le=600, description="The timing stops after these.")
    baseline: bool = Field(True, description="Measure a simple model of the same texts, as a floor; one label a text.")
    examples_max: int = Field(
        30, ge=0, le=1000, description="Wrongly answered texts in the report, personal data masked; 0 shows no text."
    )
    card: Path | None = Field(None, description="Markdown that the card takes over: intended use, limits.")
    accuracy_target: float = Field(
        0.98, gt=0, lt=1, description="The abstain threshold shown is that of this accuracy."
    )
