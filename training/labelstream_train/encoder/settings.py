"""Every knob of fine-tuning an encoder: section `[encoder]` of the settings file.

The defaults are what the default package was trained with; training/README.md says why.
"""

from typing import Literal

from pydantic import Field

from ..learning.base import DEFAULT_BASE
from ..section import Section


class EncoderSettings(Section):
    """Numbers of one fine-tuning run."""

    base: str = Field(
        DEFAULT_BASE, description="An installed Python package, a folder, or OWNER/NAME[@REVISION] on a model hub"
    )
    epochs: int = Field(12, ge=1, le=1000, description="The learning rate reaches 0 after these")
    batch_items: int = Field(32, ge=2, le=4096, description="Texts per step")
    tokens_max: int = Field(
        64, ge=4, le=512, description="Training texts are cut to this many tokens, specials included"
    )
    learning_rate: float = Field(1e-4, gt=0, le=1, description="Peak value, of the top encoder layer")
    layer_decay: float = Field(
        0.9, gt=0, le=1, description="Each layer further down learns this much slower; embeddings are the lowest"
    )
    head_learning_rate: float = Field(1e-3, gt=0, le=1, description="Peak value, of the linear head")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Not applied to biases and norms")
    warmup_share: float = Field(0.06, ge=0, lt=1, description="Share of the steps with a rising learning rate")
    dropout: float = Field(0.1, ge=0, lt=1, description="In the encoder and before the head")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the truth spread over all labels")
    gradient_norm_max: float = Field(1.0, gt=0, description="Longer gradients are scaled down to this length")
    average_decay: float = Field(
        0.998,
        ge=0,
        lt=1,
        description="Of the running average of the weights, per step: 0.998 remembers about 500; 0 keeps no average",
    )
    bfloat16: Literal["auto", "on", "off"] = Field(
        "auto", description="Matrix products in 16 bits while training; auto: where the processor has them"
    )
    class_weights: Literal["none", "balanced", "effective"] = Field(
        "none", description="Weight of a label: none, by its inverse count, or by its effective number of texts"
    )
    effective_beta: float = Field(
        0.999, gt=0, lt=1, description="Of the effective number (1 - beta^n) / (1 - beta) (Cui et al. 2019)"
    )
    patience: int = Field(
        0, ge=0, le=1000, description="Stop after this many epochs without a better held-out figure; 0 never stops"
    )
    patience_figure: Literal["quality", "nll"] = Field(
        "quality", description="The figure of `patience`: accuracy (multi-label: mean average precision), or NLL"
    )
    r_drop: float = Field(
        0.0, ge=0, le=100, description="Weight of the divergence of two dropout passes (Liang et al. 2021); 0 is off"
    )
    contrastive_epochs: int = Field(
        0, ge=0, le=100, description="Epochs of supervised contrastive training before the head is trained"
    )
    contrastive_temperature: float = Field(0.1, gt=0, le=10, description="Of the supervised contrastive loss")
    contrastive_learning_rate: float = Field(5e-5, gt=0, le=1, description="Peak value in these epochs")
    teachers: tuple[str, ...] = Field(
        (), description="Packages or exported run folders whose mean answer is learnt besides the labels"
    )
    distil_temperature: float = Field(2.0, gt=0, le=100, description="Softens the teachers' and own answers")
    distil_weight: float = Field(0.5, ge=0, le=1, description="Share of the teachers in the loss; labels have the rest")
