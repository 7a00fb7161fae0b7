"""The losses that training minimises, from the logits of a batch, for one label per text or several.

Shapes: logits [texts, labels] f32; truth [texts] i64, or [texts, labels] f32 of 0 and 1 when multi-label.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .settings import EncoderSettings

WEIGHT_MAX = 10.0
"""Largest weight of a label. Without it, a handful of texts would move the encoder as far as thousands do."""


@dataclass(frozen=True, slots=True)
class LabelLoss:
    """Cross-entropy, or binary cross-entropy averaged over labels; weighted and smoothed.

    Smoothing moves a share of the target to the prior: uniform over the labels, or, when multi-label, each label's
    frequency in the training texts (a prior of one half would raise every rare label).
    """

    is_multi_label: bool
    smoothing: float
    weights: Tensor | None
    shares: Tensor

    @classmethod
    def of(cls, settings: EncoderSettings, truth: np.ndarray, labels: int) -> "LabelLoss":
        """The loss for texts with this `truth`."""
        is_multi_label = truth.ndim == 2
        counts = truth.sum(axis=0) if is_multi_label else np.bincount(truth, minlength=labels)
        weights = label_weights(counts, settings)
        return cls(
            is_multi_label,
            settings.label_smoothing,
            None if weights is None else torch.from_numpy(weights.astype(np.float32)),
            torch.from_numpy((counts / len(truth)).astype(np.float32)),
        )

    def __call__(self, logits: Tensor, truth: Tensor) -> Tensor:
        if not self.is_multi_label:
            return functional.cross_entropy(logits, truth, self.weights, label_smoothing=self.smoothing)
        wanted = (1.0 - self.smoothing) * truth + self.smoothing * self.shares
        return functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=self.weights)


def label_weights(counts: np.ndarray, settings: EncoderSettings) -> np.ndarray | None:
    """[labels]: 1 / count, or 1 / effective number (Cui et al. 2019, equation 2), scaled to a mean of 1 over the texts.

    When multi-label, it weighs the presence of a label against its absence.
    """
    if settings.class_weights == "none":
        return None
    present = np.maximum(counts, 1).astype(np.float64)
    beta = settings.effective_beta
    number = present if settings.class_weights == "balanced" else (1.0 - beta**present) / (1.0 - beta)
    weights = 1.0 / number
    return np.minimum(weights * present.sum() / (weights * present).sum(), WEIGHT_MAX)


def divergence(first: Tensor, second: Tensor, is_multi_label: bool) -> Tensor:
    """R-Drop's term: half the sum of both Kullback-Leibler divergences, mean over texts (Liang et al. 2021, eq. 2).

    KL(p|q) + KL(q|p) = sum (p - q)(log p - log q); for a binary label, (p - q)(logit p - logit q).
    """
    if is_multi_label:
        both = (first.sigmoid() - second.sigmoid()) * (first - second)
        return 0.5 * both.mean()
    log_first, log_second = first.log_softmax(dim=1), second.log_softmax(dim=1)
    return 0.5 * ((log_first.exp() - log_second.exp()) * (log_first - log_second)).sum(dim=1).mean()


def distillation(logits: Tensor, wanted: Tensor, temperature: float, is_multi_label: bool) -> Tensor:
    """Cross-entropy to the teachers' softened probabilities, times temperature squared (Hinton et al. 2015).

    `wanted` [texts, labels] are probabilities at the same temperature; the square keeps the gradient's size.
    """
    if is_multi_label:
        loss = functional.binary_cross_entropy_with_logits(logits / temperature, wanted)
    else:
        loss = -(wanted * (logits / temperature).log_softmax(dim=1)).sum(dim=1).mean()
    return loss * temperature**2


def contrastive(states: Tensor, truth: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss of [items, hidden] states (Khosla et al. 2020, equation 2: L_out).

    Each item needs another one of the same label: pass two dropout views of every text.
    """
    unit = functional.normalize(states, dim=1)
    closeness = unit @ unit.T / temperature
    own = torch.eye(len(truth), dtype=torch.bool)
    shares = closeness.masked_fill(own, float("-inf")).log_softmax(dim=1)
    likes = (truth[:, None] == truth[None, :]) & ~own
    return -(shares.masked_fill(~likes, 0.0).sum(dim=1) / likes.sum(dim=1)).mean()
