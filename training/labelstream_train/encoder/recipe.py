"""The numbers of a training run, in one place, as they are written to `run.json` and the model card."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Defaults are what the default package was trained with; training/README.md says why."""

    seed: int = 0
    epochs: int = 12
    batch_items: int = 32
    tokens_max: int = 64
    """Training texts are cut to this many tokens, specials included. Banking77 has few longer ones."""
    held_out_share: float = 0.05
    """Share of train that is never trained on: chooses the epoch and fits the temperature."""
    learning_rate: float = 1e-4
    """Of the top encoder layer; AdamW's peak value, reached after the warm-up."""
    layer_decay: float = 0.9
    """Each layer further down learns this much slower; the embeddings are the lowest layer."""
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    """Not applied to biases and norms."""
    warmup_share: float = 0.06
    dropout: float = 0.1
    label_smoothing: float = 0.1
    gradient_norm_max: float = 1.0
    average_decay: float = 0.998
    """Of the running average of the weights, per step: remembers about 500 steps. Both the plain and
    the averaged weights are candidates after each epoch."""
    bfloat16: bool = False
    """Compute the encoder's matrix products in 16 bits (weights stay in 32)."""
