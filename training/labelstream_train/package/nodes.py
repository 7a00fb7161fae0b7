"""Builds an ONNX graph from nodes and constants, for both tiers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""The first with LayerNormalization; every ONNX Runtime since 1.12 runs it."""


class Nodes:
    """A graph under construction; each method adds something and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Adds an operator, named after its type and position."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds an array, unless there is one of this name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def integers(self, *values: int) -> str:
        """Adds a vector of 64-bit integers."""
        return self.constant("integers_" + "_".join(map(str, values)), np.array(values, np.int64))

    def finish(self, name: str, last: Sequence[str], inputs: Sequence[str], labels: int) -> onnx.ModelProto:
        """The model whose `logits` ([batch, labels] f32) are the sum of `last`; its inputs are [batch, seq] i64."""
        self.nodes.append(helper.make_node("Add", list(last), ["logits"], name="logits"))
        given = [helper.make_tensor_value_info(each, TensorProto.INT64, ["batch", "seq"]) for each in inputs]
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])]
        graph = helper.make_graph(self.nodes, name, given, outputs, list(self.constants.values()))
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, producer_name="labelstream_train", ir_version=8, opset_imports=opset)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Checks the graph, then writes it as one file; equal models give equal bytes."""
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
