"""The settings `[tune]`: how many trials, which keys they may change, and the range of each.

Not tuned: the split, seeds, the input length (`tokens_max`), and keys where more only costs more time.
"""

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from ..section import Section


class Range(Section):
    """Either `choices`, or `low` and `high` (both included); integers give integers."""

    low: int | float | None = Field(None, description="Smallest value")
    high: int | float | None = Field(None, description="Largest value")
    log: bool = Field(False, description="Draw on a logarithmic scale")
    choices: tuple[bool | int | float | str, ...] = Field((), description="The only values")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.choices) == (self.low is not None or self.high is not None):
            raise ValueError("give either choices, or low and high")
        if not self.choices:
            if self.low is None or self.high is None or self.low > self.high:
                raise ValueError("give low and high, with low <= high")
            if self.log and self.low <= 0:
                raise ValueError("log needs low > 0")
        return self

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """TOML cannot write None."""
        return {key: value for key, value in dump(self).items() if value is not None}

    def holds(self, value: Any) -> bool:
        """Whether the value could be drawn."""
        if self.choices:
            return value in self.choices
        return isinstance(value, (int, float)) and bool(self.low <= value <= self.high)  # type: ignore[operator]

    @property
    def is_whole(self) -> bool:
        """Whether only integers are drawn."""
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
"""Tier -> key of its section -> range, unless the settings give a space."""


class TuneSettings(Section):
    """Hyperparameter search; off by default (0 trials)."""

    trials: int = Field(0, ge=0, le=10_000, description="Number of trials, including pruned ones; 0: no search")
    figure: Literal["quality", "nll"] = Field(
        "quality", description="Metric on held-out texts: accuracy (multi-label: mean average precision), or NLL"
    )
    pruner: Literal["median", "hyperband", "none"] = Field("median", description="How bad trials are stopped early")
    startup_trials: int = Field(5, ge=1, description="First trials, drawn at random and never pruned")
    folds: int = Field(
        0, ge=0, le=20, description="Cross-validation folds of a trial; 1: score on the held-out texts; 0: 1 with "
        "300 held-out texts or more, else 5"
    )  # fmt: skip
    jobs: int = Field(1, ge=1, le=64, description="Trials that run in parallel, each in its own process")
    space: dict[str, Range] = Field(
        {}, description="Key of the tier's section -> range, {low, high, log} or {choices}; empty: the built-in space"
    )
