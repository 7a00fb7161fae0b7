"""Every knob of the fast tier: section `[fast]` of the settings file."""

from typing import Literal

from pydantic import Field

from ..learning.base import DEFAULT_BASE
from ..section import Section


class FastSettings(Section):
    """Numbers of one training of the fast tier."""

    base: str = Field(
        DEFAULT_BASE,
        description="Whose words and word vectors to begin with: an installed Python package, a folder; `none`: words "
        "are learnt from train, vectors begin at random",
    )
    words_max: int = Field(8000, ge=100, le=200_000, description="Pieces learnt from train where base is `none`")
    tokens_max: int = Field(128, ge=8, le=4096, description="A text is cut to this many tokens, specials included")
    dimensions: int = Field(256, ge=4, le=2048, description="Of a vector of a word or of a row of words")
    row_words_max: int = Field(2, ge=1, le=3, description="Longest row of neighbouring words with a vector of its own")
    row_count_min: int = Field(2, ge=1, le=1000, description="Rows of words seen in fewer texts get no vector")
    rows_max: int = Field(60_000, ge=0, le=1_000_000, description="Rows of words with a vector; the commonest are kept")
    epochs: int = Field(15, ge=1, le=1000, description="The learning rate reaches 0 after these")
    steps_min: int = Field(
        1500, ge=0, le=1_000_000, description="Few texts get more epochs, until there are so many steps"
    )
    batch_items: int = Field(64, ge=2, le=4096, description="Texts per step")
    learning_rate: float = Field(3e-3, gt=0, le=1, description="Peak value, of the head")
    vector_learning_rate: float = Field(1e-3, gt=0, le=1, description="Peak value, of the vectors")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Of the head")
    dropout: float = Field(0.3, ge=0, lt=1, description="Of the pooled vector, before the head")
    word_dropout: float = Field(0.15, ge=0, lt=1, description="Share of a text's words and rows left out in a step")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the truth spread over all labels")
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="Weight of a label: none, or by inverse count"
    )
    patience: int = Field(0, ge=0, le=1000, description="Stop after this many epochs without gain; 0 never stops")
    teacher: str | None = Field(None, description="Folder of a package whose answers are learnt besides the labels")
    teacher_share: float = Field(0.9, ge=0, le=1, description="Share of the teacher in the loss; labels have the rest")
    teacher_temperature: float = Field(1.0, gt=0, le=100, description="Softens the teacher's and the own answer")
    unlabelled: str | None = Field(
        None, description="A file of further texts, without labels, for the teacher to answer"
    )
    invented: int = Field(3, ge=0, le=100, description="Texts made up from each train text for the teacher to answer")
