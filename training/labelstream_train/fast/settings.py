"""The settings of the fast tier: section `[fast]`."""

from typing import Literal

from pydantic import Field

from ..learning.base import DEFAULT_BASE
from ..section import Section


class FastSettings(Section):
    """Hyperparameters of the fast tier. A row is an n-gram of neighbouring words."""

    base: str = Field(
        DEFAULT_BASE,
        description="Base model for vocabulary and initial vectors: an installed Python package, a folder, or "
        "OWNER/NAME[@REVISION] on a model hub; `none`: vocabulary from the training texts, random vectors",
    )
    words_max: int = Field(8000, ge=100, le=200_000, description="Vocabulary size if base is `none`")
    tokens_max: int = Field(
        128, ge=8, le=4096, description="Texts are truncated to this many tokens, special tokens included"
    )
    dimensions: int = Field(256, ge=4, le=2048, description="Dimensions of the vectors")
    row_words_max: int = Field(2, ge=1, le=3, description="Longest row with a vector of its own; 1: words only")
    row_count_min: int = Field(2, ge=1, le=1000, description="Rows that occur in fewer texts get no vector")
    rows_max: int = Field(60_000, ge=0, le=1_000_000, description="Most rows with a vector; the most frequent are kept")
    epochs: int = Field(15, ge=1, le=1000, description="Epochs; the learning rate reaches 0 at the end")
    steps_min: int = Field(
        1500, ge=0, le=1_000_000, description="Least number of steps: few texts are trained for more epochs"
    )
    batch_items: int = Field(64, ge=2, le=4096, description="Texts per step")
    learning_rate: float = Field(3e-3, gt=0, le=1, description="Peak learning rate of the head")
    vector_learning_rate: float = Field(1e-3, gt=0, le=1, description="Peak learning rate of the vectors")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Weight decay of the head")
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropout of the pooled vector, before the head")
    word_dropout: float = Field(0.15, ge=0, lt=1, description="Share of a text's words and rows dropped in a step")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the target spread over all labels")
    class_weights: Literal["none", "balanced"] = Field("none", description="Label weights: none, or by inverse count")
    patience: int = Field(
        0, ge=0, le=1000, description="Stop after this many epochs without gain; 0: no early stopping"
    )
    teacher: str | None = Field(
        None, description="Folder of a package to distil: the model also learns its predictions"
    )
    teacher_share: float = Field(
        0.9, ge=0, le=1, description="Share of the distillation loss; the labels have the rest"
    )
    teacher_temperature: float = Field(1.0, gt=0, le=100, description="Temperature of the distillation loss")
    unlabelled: str | None = Field(None, description="File of unlabelled texts for the teacher to label")
    invented: int = Field(3, ge=0, le=100, description="Augmented texts per training text for the teacher to label")
