"""The fp32 model with matrix products and tables in 8 bits: `int8_dynamic`, made by ONNX Runtime's own tool.

Activations are quantised on the fly with one scale per batch, so scores depend on the other texts of the batch. By
default the classifier runs such a model one text at a time.
"""

import contextlib
import logging
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

QUANTISED = {"DynamicQuantizeLinear", "MatMulInteger", "DynamicQuantizeMatMul", "ConvInteger"}


def write_dynamic(fp32: Path, folder: Path) -> bool:
    """Writes the quantised package of `fp32` to `folder`; returns False if there is no matrix product to quantise.

    Weights have one scale per column. They take 7 bits (`reduce_range`) where 8 could overflow 16-bit sums: on x86
    processors without VNNI instructions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    with _quiet():
        quantize_dynamic(
            fp32 / "model.onnx",
            model,
            per_channel=True,
            reduce_range=not has_vnni(),
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        )
    for name in ("tokenizer.json", "config.json"):
        shutil.copyfile(fp32 / name, folder / name)
    return any(node.op_type in QUANTISED for node in onnx.load(model).graph.node)


def has_vnni() -> bool:
    """Whether this processor sums 8-bit products in 32 bits: with VNNI on x86, always elsewhere."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences the tool's advice in the root logger, which only concerns convolutions and unknown shapes."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
