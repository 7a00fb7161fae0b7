"""Writes the fast tier's network as an ONNX graph: token ids and mask in, logits out.

Inputs are `input_ids` and `attention_mask` ([batch, seq] i64), the output is `logits` ([batch, labels] f32). The graph
finds n-grams by the perfect hash of `rows`, looks up all vectors in one table, sums them by a matrix product with their
weights, and multiplies by the head. Padding and unknown n-grams map to a zero vector.
"""

import numpy as np
import onnx
from onnx import TensorProto

from ..package.nodes import Nodes
from .network import Network
from .storage import Stored

INPUTS = ("input_ids", "attention_mask")
TO_THE_END = np.iinfo(np.int64).max


def build(network: Network, int8: bool) -> onnx.ModelProto:
    """The whole model; `int8` stores vectors as `Stored` and computes in fp32, exactly (see `storage`)."""
    graph = _Graph(network, int8)
    return graph.finish("fast", graph.logits(graph.indices()), INPUTS, len(network.bias))


class _Graph(Nodes):
    """The parts of the graph, in the order of the data flow."""

    def __init__(self, network: Network, int8: bool):
        super().__init__()
        self.network, self.int8 = network, int8

    def number(self, value: int) -> str:
        return self.constant(f"number_{value}", np.array(value, np.int64))

    def indices(self) -> str:
        """[batch, places] i64 into the table: each token, then each bigram, then each trigram."""
        real = self.node("Cast", "attention_mask", to=TensorProto.BOOL)
        parts = [self.node("Where", real, "input_ids", self.number(self.network.rows.words))]
        lengths = range(2, self.network.rows.longest + 1)
        if lengths and self.network.rows.count:
            keys = self.join([self.keys(length) for length in lengths])
            ends = self.join([self.columns("attention_mask", length - 1, TO_THE_END) for length in lengths])
            parts.append(self.found(keys, self.node("Cast", ends, to=TensorProto.BOOL)))
        return self.join(parts)

    def join(self, parts: list[str]) -> str:
        return self.node("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]

    def columns(self, name: str, start: int, end: int) -> str:
        return self.node("Slice", name, self.integers(start), self.integers(end), self.integers(1))

    def keys(self, length: int) -> str:
        """As `rows.key`: [batch, seq - length + 1] i64."""
        ends = [place - length + 1 or TO_THE_END for place in range(length)]
        tokens = [self.columns("input_ids", place, end) for place, end in enumerate(ends)]
        words = self.number(self.network.rows.words)
        total = tokens[0] if length == 2 else self.node("Add", tokens[0], self.number(1))
        for token in tokens[1:]:
            total = self.node("Add", self.node("Mul", total, words), token)
        return total

    def found(self, keys: str, real: str) -> str:
        """As `Rows.find`, as places in the table; rows that reach into the padding are unknown."""
        rows = self.network.rows
        slots = self.number(len(rows.slots))
        bucket = self.node("Mod", keys, self.number(len(rows.shifts)))
        shift = self.look_up("shifts", rows.shifts.astype(np.int32), bucket)
        shift = self.node("Cast", shift, to=TensorProto.INT64)
        slot = self.node("Mod", self.node("Add", self.node("Mod", keys, slots), shift), slots)
        number = self.look_up("slots", rows.slots.astype(np.int32), slot)
        is_known = self.node("Equal", self.look_up("keys", rows.keys, number), keys)
        place = self.node("Add", self.node("Cast", number, to=TensorProto.INT64), self.number(rows.words))
        return self.node("Where", self.node("And", is_known, real), place, self.number(rows.words))

    def look_up(self, name: str, table: np.ndarray, places: str) -> str:
        return self.node("Gather", self.constant(name, table), places, axis=0)

    def logits(self, indices: str) -> tuple[str, str]:
        """Weights times vectors, divided by the root of their number, times the head; and the bias."""
        is_some = self.node("Not", self.node("Equal", indices, self.number(self.network.rows.words)))
        some = self.node("Cast", is_some, to=TensorProto.FLOAT)
        count = self.node("Sqrt", self.node("ReduceSum", some, self.integers(1), keepdims=1))
        head = self.network.head
        if self.int8:
            stored = Stored.of(self.network.vectors)
            vectors = self.node("Cast", self.look_up("vectors", stored.values, indices), to=TensorProto.FLOAT)
            weights = self.node("Cast", self.look_up("factors", stored.factors, indices), to=TensorProto.FLOAT)
            head = head * stored.units[:, None]
        else:
            vectors, weights = self.look_up("vectors", self.network.vectors, indices), some
        row = self.node("Unsqueeze", weights, self.integers(1))
        total = self.node("Squeeze", self.node("MatMul", row, vectors), self.integers(1))
        product = self.node("MatMul", self.node("Div", total, count), self.constant("head", head.astype(np.float32)))
        return product, self.constant("bias", self.network.bias)
