"""Builds the network of `encoder` as an ONNX graph, with weights in fp32 or stored as int8.

The graph is built node by node, not traced: the same weights always give the same bytes, nothing of a tracer is left in
it, and each weight can be stored as we choose. `export` checks that it equals the torch model. Inputs are `input_ids`,
`attention_mask` and `token_type_ids` ([batch, seq] i64), the output is `logits` ([batch, labels] f32); batch and seq
are free.

Stored as int8 (symmetric, -127..=127), a matrix has one scale per output column and a DequantizeLinear
behind it. With the session entry `session.disable_quant_qdq=1` ONNX Runtime folds that once at load,
and the maths is fp32. Embedding tables have one scale per row; their rows are looked up first and
scaled afterwards, so a table stays small in memory and is never dequantised whole.
"""

import math
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto

from ..package.nodes import Nodes

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
INT8_MAX = 127
MASKED_SCORE = -10_000.0
"""Added to the attention score of a padded key: its exponential is exactly 0 in 32 bits, and it does not overflow in 16
bits, in which `encoder.network` may compute it."""


def build(weights: dict[str, np.ndarray], layers: int, heads: int, epsilon: float, int8: bool) -> onnx.ModelProto:
    """The whole model from the state of `encoder.Classifier` (its names, fp32 arrays)."""
    graph = _Graph(weights, heads, epsilon, int8)
    mask = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    states = graph.embeddings()
    mask_scores = graph.mask_scores()
    for layer in range(layers):
        states = graph.layer(f"layers.{layer}.", states, mask_scores)
    return graph.finish("classifier", graph.head(states, mask), INPUTS, graph.labels)


def store_int8(matrix: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """(int8 values, f32 scales along `axis`) with value * scale close to `matrix` ([rows, columns]).

    A scale is the largest magnitude / 127, so zero stays zero and nothing saturates. An all-zero row or
    column gets scale 1.
    """
    largest = np.abs(matrix).max(axis=1 - axis, keepdims=True)
    scales = np.where(largest > 0, largest / INT8_MAX, 1.0).astype(np.float32)
    values = np.clip(np.rint(matrix / scales), -INT8_MAX, INT8_MAX).astype(np.int8)
    return values, scales.reshape(-1)


class _Graph(Nodes):
    """The parts of the graph, in the order of the data flow."""

    def __init__(self, weights: dict[str, np.ndarray], heads: int, epsilon: float, int8: bool):
        super().__init__()
        self.weights, self.heads, self.epsilon, self.int8 = weights, heads, epsilon, int8
        self.hidden = weights["embeddings.word_embeddings.weight"].shape[1]
        self.labels = weights["classifier.weight"].shape[0]

    def number(self, value: float) -> str:
        return self.constant(f"number_{value:g}", np.array(value, np.float32))

    def linear(self, name: str, states: str) -> str:
        """states @ weight + bias; torch keeps a weight as [out, in], the graph as [in, out]."""
        matrix = self.weights[f"{name}.weight"].T
        if self.int8:
            values, scales = store_int8(matrix, axis=1)
            parts = self.constant(f"{name}.int8", values), self.constant(f"{name}.scales", scales)
            weight = self.node("DequantizeLinear", *parts, axis=1)
        else:
            weight = self.constant(f"{name}.weight", matrix)
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.node("Add", self.node("MatMul", states, weight), bias)

    def norm(self, name: str, states: str) -> str:
        parts = [self.constant(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.node("LayerNormalization", states, *parts, axis=-1, epsilon=self.epsilon)

    def table(self, name: str, rows: Callable[[str], str]) -> str:
        """Rows of an embedding table, f32; `rows` adds the node that picks them from a constant."""
        table = self.weights[f"{name}.weight"]
        if not self.int8:
            return rows(self.constant(f"{name}.weight", table))
        values, scales = store_int8(table, axis=0)
        picked = self.node("Cast", rows(self.constant(f"{name}.int8", values)), to=TensorProto.FLOAT)
        return self.node("Mul", picked, rows(self.constant(f"{name}.scales", scales[:, None])))

    def embeddings(self) -> str:
        """Word + type + position, normalised. Positions are the first `seq` rows: a Slice, as they are
        the same for each text of the batch."""
        length = self.node("Shape", "input_ids", start=1, end=2)
        first, table = self.integers(0), "embeddings.{}_embeddings"
        words = self.table(table.format("word"), lambda t: self.node("Gather", t, "input_ids", axis=0))
        kinds = self.table(table.format("token_type"), lambda t: self.node("Gather", t, "token_type_ids", axis=0))
        places = self.table(table.format("position"), lambda t: self.node("Slice", t, first, length, first))
        total = self.node("Add", self.node("Add", words, kinds), places)
        return self.norm("embeddings.LayerNorm", total)

    def mask_scores(self) -> str:
        """[batch, 1, 1, seq]: 0 where there is a token, -10000 where there is padding."""
        wide = self.node("Unsqueeze", self.node("Unsqueeze", "attention_mask", self.integers(1)), self.integers(2))
        absent = self.node("Sub", self.number(1.0), self.node("Cast", wide, to=TensorProto.FLOAT))
        return self.node("Mul", absent, self.number(MASKED_SCORE))

    def by_head(self, states: str, order: list[int]) -> str:
        shape = self.integers(0, 0, self.heads, self.hidden // self.heads)
        return self.node("Transpose", self.node("Reshape", states, shape), perm=order)

    def layer(self, name: str, states: str, mask_scores: str) -> str:
        query = self.by_head(self.linear(f"{name}attention.query", states), [0, 2, 1, 3])
        key = self.by_head(self.linear(f"{name}attention.key", states), [0, 2, 3, 1])
        value = self.by_head(self.linear(f"{name}attention.value", states), [0, 2, 1, 3])
        root = self.number(math.sqrt(self.hidden // self.heads))
        scores = self.node("Div", self.node("MatMul", query, key), root)
        shares = self.node("Softmax", self.node("Add", scores, mask_scores), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", shares, value), perm=[0, 2, 1, 3])
        joined = self.node("Reshape", mixed, self.integers(0, 0, self.hidden))
        attended = self.linear(f"{name}attention.output", joined)
        attended = self.norm(f"{name}attention.LayerNorm", self.node("Add", attended, states))
        inner = self.gelu(self.linear(f"{name}intermediate", attended))
        return self.norm(f"{name}LayerNorm", self.node("Add", self.linear(f"{name}output", inner), attended))

    def gelu(self, states: str) -> str:
        """x / 2 * (1 + erf(x / sqrt 2)), in the order of nodes that ONNX Runtime fuses."""
        bent = self.node("Erf", self.node("Div", states, self.number(math.sqrt(2.0))))
        return self.node("Mul", self.node("Mul", states, self.node("Add", bent, self.number(1.0))), self.number(0.5))

    def head(self, states: str, mask: str) -> tuple[str, str]:
        """Mean over the real tokens times the head's weight, and its bias; kept in fp32: it is small.

        The sum over tokens is a product with the mask, so that padding does not change the last bit: ONNX Runtime's
        matrix product adds in token order, while ReduceSum and the product of a single row regroup by length. Hence
        two equal rows of the mask, of which one is used.
        """
        row = self.node("Unsqueeze", mask, self.integers(1))
        sums = self.node("MatMul", self.node("Concat", row, row, axis=1), states)
        total = self.node("Gather", sums, self.constant("first", np.array(0, np.int64)), axis=1)
        count = self.node("ReduceSum", mask, self.integers(1), keepdims=1)
        weight = self.constant("classifier.weight", self.weights["classifier.weight"].T)
        bias = self.constant("classifier.bias", self.weights["classifier.bias"])
        return self.node("MatMul", self.node("Div", total, count), weight), bias
