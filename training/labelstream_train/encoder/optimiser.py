"""AdamW with a learning rate per layer, and the schedule all of them follow.

Lower layers hold what pre-training found and move slower (layer-wise decay: Howard and Ruder 2018,
"Universal Language Model Fine-tuning", section 3.2, there with another factor).
"""

import math

import torch

from .network import Classifier
from .recipe import Recipe


def build(model: Classifier, recipe: Recipe, steps: int) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.LambdaLR]:
    """The optimiser and its schedule over `steps` steps: linear warm-up, then a cosine to 0."""
    groups = {}
    for name, parameter in model.named_parameters():
        rate = _rate(name, recipe, len(model.layers))
        decay = 0.0 if parameter.ndim == 1 else recipe.weight_decay
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
    optimiser = torch.optim.AdamW(list(groups.values()), fused=True)
    warmup = max(1, round(steps * recipe.warmup_share))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _rate(name: str, recipe: Recipe, layers: int) -> float:
    """Peak learning rate of a parameter: head, layer by depth, or embeddings (below all layers)."""
    if name.startswith("classifier."):
        return recipe.head_learning_rate
    depth = int(name.split(".")[1]) if name.startswith("layers.") else -1
    return recipe.learning_rate * recipe.layer_decay ** (layers - 1 - depth)
