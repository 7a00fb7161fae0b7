"""The settings `[tune]`: how many trials, which keys they may change and between which values.

Not tuned: the split, seeds, sizes of the input (`tokens_max`), and what only costs time without bound.
"""

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from ..section import Section


class Range(Section):
    """Either `choices`, or `low` and `high` (both included); whole numbers give whole numbers."""

    low: int | float | None = Field(None, description="Smallest value")
    high: int | float | None = Field(None, description="Largest value")
    log: bool = Field(False, description="Equal ratios are equally likely, instead of equal differences")
    choices: tuple[bool | int | float | str, ...] = Field((), description="The only values")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.choices) == (self.low is not None or self.high is not None):
            raise ValueError("give either choices, or low and high")
        if not self.choices:
            if self.low is None or self.high is None or self.low > self.high:
                raise ValueError("give low and high, low not above high")
            if self.log and self.low <= 0:
                raise ValueError("log needs a low above 0")
        return self

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A settings file has no word for None."""
        return {key: value for key, value in dump(self).items() if value is not None}

    def holds(self, value: Any) -> bool:
        """Whether the value could be drawn."""
        if self.choices:
            return value in self.choices
        return isinstance(value, (int, float)) and bool(self.low <= value <= self.high)  # type: ignore[operator]

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


DEFAULT_SPACE: dict[str, dict[str, Range]] = {
    "encoder": {
        "learning_rate": Range(low=3e-5, high=3e-4, log=True),
        "head_learning_rate": Range(low=3e-4, high=1e-2, log=True),
        "layer_decay": Range(low=0.7, high=1.0),
        "label_smoothing": Range(low=0.0, high=0.2),
        "dropout": Range(low=0.0, high=0.3),
        "batch_items": Range(choices=(16, 32, 64)),
    },
    "fast": {
        "learning_rate": Range(low=5e-4, high=2e-2, log=True),
        "dimensions": Range(choices=(128, 256, 384)),
        "dropout": Range(low=0.0, high=0.6),
        "word_dropout": Range(low=0.0, high=0.4),
        "label_smoothing": Range(low=0.0, high=0.2),
        "weight_decay": Range(low=1e-4, high=0.3, log=True),
    },
}
"""Tier -> key of its section -> what it is drawn from, where the settings name no space."""


class TuneSettings(Section):
    """0 trials: no tuning."""

    trials: int = Field(0, ge=0, le=10_000, description="Trials that end, pruned ones included; 0 does not tune")
    figure: Literal["quality", "nll"] = Field(
        "quality", description="On the held-out texts: accuracy (multi-label: mean average precision), or NLL"
    )
    pruner: Literal["median", "hyperband", "none"] = Field("median", description="What ends a hopeless trial early")
    startup_trials: int = Field(5, ge=1, description="Trials drawn at random, and never pruned, at first")
    folds: int = Field(
        0, ge=0, le=20, description="Trainings of a trial, each judged on another part of train; 1: on held-out; "
        "0: 1 with 300 held-out texts or more, else 5"
    )  # fmt: skip
    jobs: int = Field(1, ge=1, le=64, description="Trials side by side, each in a process of its own")
    space: dict[str, Range] = Field(
        {}, description="Key of the tier's section -> what it is drawn from, {low, high, log} or {choices}; none: ours"
    )
