"""The settings of fine-tuning an encoder: section `[encoder]`.

The defaults are what the default package was trained with; training/README.md says why.
"""

from typing import Literal

from pydantic import Field

from ..learning.base import DEFAULT_BASE
from ..section import Section


class EncoderSettings(Section):
    """Hyperparameters of fine-tuning an encoder."""

    base: str = Field(
        DEFAULT_BASE, description="An installed Python package, a folder, or OWNER/NAME[@REVISION] on a model hub"
    )
    epochs: int = Field(12, ge=1, le=1000, description="Epochs; the learning rate reaches 0 at the end")
    batch_items: int = Field(32, ge=2, le=4096, description="Texts per step")
    tokens_max: int = Field(
        64, ge=4, le=512, description="Training texts are truncated to this many tokens, special tokens included"
    )
    learning_rate: float = Field(1e-4, gt=0, le=1, description="Peak learning rate of the top encoder layer")
    layer_decay: float = Field(
        0.9, gt=0, le=1, description="Factor on the learning rate per layer below the top; embeddings are lowest"
    )
    head_learning_rate: float = Field(1e-3, gt=0, le=1, description="Peak learning rate of the linear head")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Weight decay; not applied to biases and norms")
    warmup_share: float = Field(0.06, ge=0, lt=1, description="Share of the steps that warm up")
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout in the encoder and before the head")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="Share of the target spread over all labels")
    gradient_norm_max: float = Field(1.0, gt=0, description="Gradients are clipped to this norm")
    average_decay: float = Field(
        0.998,
        ge=0,
        lt=1,
        description="Decay per step of the moving average of the weights: 0.998 averages about 500 steps; 0: off",
    )
    bfloat16: Literal["auto", "on", "off"] = Field(
        "auto", description="Train with bfloat16 matrix products; auto: if the processor supports them"
    )
    class_weights: Literal["none", "balanced", "effective"] = Field(
        "none", description="Label weights: none, by inverse count, or by effective number of texts"
    )
    effective_beta: float = Field(
        0.999, gt=0, lt=1, description="Beta of the effective number (1 - beta^n) / (1 - beta) (Cui et al. 2019)"
    )
    patience: int = Field(
        0,
        ge=0,
        le=1000,
        description="Stop after this many epochs without a better held-out metric; 0: no early stopping",
    )
    patience_figure: Literal["quality", "nll"] = Field(
        "quality", description="Metric of `patience`: accuracy (multi-label: mean average precision), or NLL"
    )
    r_drop: float = Field(0.0, ge=0, le=100, description="Weight of the R-Drop term (Liang et al. 2021); 0: off")
    contrastive_epochs: int = Field(
        0, ge=0, le=100, description="Epochs of supervised contrastive training before fine-tuning"
    )
    contrastive_temperature: float = Field(
        0.1, gt=0, le=10, description="Temperature of the supervised contrastive loss"
    )
    contrastive_learning_rate: float = Field(
        5e-5, gt=0, le=1, description="Peak learning rate of the contrastive epochs"
    )
    teachers: tuple[str, ...] = Field(
        (), description="Packages or exported run folders to distil: the model also learns their mean prediction"
    )
    distil_temperature: float = Field(2.0, gt=0, le=100, description="Temperature of the distillation loss")
    distil_weight: float = Field(
        0.5, ge=0, le=1, description="Share of the distillation loss; the labels have the rest"
    )
