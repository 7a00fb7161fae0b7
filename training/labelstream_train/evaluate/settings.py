"""The settings `[evaluate]`: what is measured, and how long it may take."""

from pathlib import Path

from pydantic import Field

from ..section import Section


class EvaluateSettings(Section):
    """Measurements on the test texts. All intervals are 95 %; `seed` fixes all random choices."""

    seed: int = Field(0, ge=0, description="Seed of bootstrap, perturbations and samples.")
    bootstrap_repeats: int = Field(1000, ge=200, le=20_000, description="Resamples of a bootstrap interval.")
    slice_texts_min: int = Field(30, ge=1, description="Slices with fewer texts are not judged.")
    robustness_texts_max: int = Field(1000, ge=0, description="Most test texts to perturb; 0: skip robustness.")
    bias_data: Path | None = Field(
        None, description="File of sentences with identity terms; default: test texts that contain one."
    )
    bias_text: str | None = Field(None, description="Column of the text in bias_data; default: the usual names.")
    bias_label: str | None = Field(None, description="Column of the label in bias_data; default: the usual names.")
    bias_identity: str | None = Field(
        None,
        description="Column of the identity term in bias_data; default: `identity`, else known terms are searched.",
    )
    bias_texts_max: int = Field(15_000, ge=0, description="Most texts of the bias report; 0: skip it.")
    bias_harmful: tuple[str, ...] = Field(
        (), description="Labels of the package that mean harm, e.g. toxic; empty: report flips and shifts only."
    )
    bias_harmful_truth: str = Field("toxic", description="Label in bias_data that means harm.")
    speed_repeats: int = Field(400, ge=0, le=100_000, description="Timed calls per text length; 0: no timing.")
    speed_minutes_max: float = Field(3.0, gt=0, le=600, description="Time limit of the timing, minutes.")
    baseline: bool = Field(True, description="Also train and measure a simple baseline (single-label only).")
    examples_max: int = Field(
        30, ge=0, le=1000, description="Misclassified texts in the report, personal data masked; 0: no texts."
    )
    card: Path | None = Field(None, description="Markdown file for the model card about intended use and limits.")
    accuracy_target: float = Field(
        0.98, gt=0, lt=1, description="The report shows the abstain threshold for this accuracy."
    )
