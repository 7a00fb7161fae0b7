"""AdamW with a learning rate per layer, and one schedule for all.

Lower layers keep more of the pre-training and learn more slowly (layer-wise decay: Howard and Ruder 2018,
"Universal Language Model Fine-tuning", section 3.2, there with another factor).
"""

import math
from dataclasses import dataclass

import torch

from .network import Classifier


@dataclass(frozen=True, slots=True)
class Rates:
    """Peak learning rates and their schedule; see `EncoderSettings`."""

    top_layer: float
    head: float
    layer_decay: float
    weight_decay: float
    warmup_share: float


def build(model: Classifier, rates: Rates, steps: int) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.LambdaLR]:
    """The optimiser and its schedule over `steps` steps: linear warm-up, then a cosine to 0."""
    groups: dict[tuple[float, float], dict] = {}
    for name, parameter in model.named_parameters():
        rate = _rate(name, rates, len(model.layers))
        decay = 0.0 if parameter.ndim == 1 else rates.weight_decay
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
    optimiser = torch.optim.AdamW(list(groups.values()), fused=True)
    warmup = max(1, round(steps * rates.warmup_share))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _rate(name: str, rates: Rates, layers: int) -> float:
    """Peak learning rate of a parameter, by its depth: embeddings lowest, then the layers, then the head."""
    if name.startswith("classifier."):
        return rates.head
    depth = int(name.split(".")[1]) if name.startswith("layers.") else -1
    return rates.top_layer * rates.layer_decay ** (layers - 1 - depth)
