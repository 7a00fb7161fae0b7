"""The network: a BERT encoder, mean pooling over the real tokens, dropout, one linear head.

Our own code and not a library's: it is short, and we control the ONNX graph. `architectures` maps the weights of BERT
and related models to it; the tests compare it with Transformers. Padding cannot change a result: masked keys get weight
exp(-10000) = 0 and pooling multiplies by the mask.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..learning.bert_graph import MASKED_SCORE


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the encoder, read from the base model's config.json."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


class Embeddings(nn.Module):
    """Word + position + type embedding, normalised: [batch, seq] i64 -> [batch, seq, hidden]."""

    def __init__(self, shape: Shape, dropout: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.position_embeddings = nn.Embedding(shape.max_position_embeddings, shape.hidden_size)
        self.token_type_embeddings = nn.Embedding(shape.type_vocab_size, shape.hidden_size)
        self.LayerNorm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        total = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        return self.dropout(self.LayerNorm(total + self.position_embeddings(places)))


class Attention(nn.Module):
    """Multi-head self-attention with its residual and norm; `mask_scores` is [batch, 1, 1, seq]."""

    def __init__(self, shape: Shape, dropout: float):
        super().__init__()
        hidden = shape.hidden_size
        self.heads = shape.num_attention_heads
        self.head_size = hidden // self.heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, hidden)
        self.LayerNorm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask_scores: Tensor) -> Tensor:
        query, key, value = (self._by_head(part(states)) for part in (self.query, self.key, self.value))
        scores = torch.matmul(query, key.transpose(2, 3)) / math.sqrt(self.head_size) + mask_scores
        mixed = torch.matmul(self.dropout(torch.softmax(scores, dim=-1)), value)
        joined = mixed.transpose(1, 2).reshape(states.shape[0], -1, self.heads * self.head_size)
        return self.LayerNorm(self.dropout(self.output(joined)) + states)

    def _by_head(self, states: Tensor) -> Tensor:
        return states.reshape(states.shape[0], -1, self.heads, self.head_size).transpose(1, 2)


class Layer(nn.Module):
    """One transformer block: [batch, seq, hidden] -> the same."""

    def __init__(self, shape: Shape, dropout: float):
        super().__init__()
        self.attention = Attention(shape, dropout)
        self.intermediate = nn.Linear(shape.hidden_size, shape.intermediate_size)
        self.output = nn.Linear(shape.intermediate_size, shape.hidden_size)
        self.LayerNorm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask_scores: Tensor) -> Tensor:
        attended = self.attention(states, mask_scores)
        inner = nn.functional.gelu(self.intermediate(attended))
        return self.LayerNorm(self.dropout(self.output(inner)) + attended)


class Classifier(nn.Module):
    """ids, mask, types (each [batch, seq] i64) -> logits [batch, labels] f32."""

    def __init__(self, shape: Shape, labels: int, dropout: float):
        super().__init__()
        self.embeddings = Embeddings(shape, dropout)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.num_hidden_layers))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(shape.hidden_size, labels)
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.pooled(input_ids, attention_mask, token_type_ids))).float()

    def pooled(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Mean of the last layer's states over the real tokens: [batch, hidden] f32."""
        mask = attention_mask.to(torch.float32)
        mask_scores = ((1.0 - mask) * MASKED_SCORE)[:, None, None, :]
        states = self.embeddings(input_ids, token_type_ids)
        for layer in self.layers:
            states = layer(states, mask_scores)
        weights = mask[:, :, None]
        return (states.float() * weights).sum(dim=1) / weights.sum(dim=1)

    def load_base(self, weights: dict[str, Tensor]) -> None:
        """Takes the encoder's weights, by our names (`architectures.weights`); leaves the head unchanged."""
        try:
            missing, unexpected = self.load_state_dict(weights, strict=False)
        except RuntimeError as cause:  # a tensor has another shape
            lines = " ".join(str(cause).split())
            raise UserError(f"use the base model: its weights do not match its config.json: {lines[:300]}") from cause
        wrong = [name for name in missing if not name.startswith("classifier.")] + unexpected
        if wrong:
            raise UserError(f"use the base model: its weights do not match the encoder: {', '.join(wrong[:5])}")
