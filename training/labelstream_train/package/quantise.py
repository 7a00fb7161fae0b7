"""The fp32 model with matrix products and tables in 8 bits: `int8_dynamic`, made by ONNX Runtime's own tool.

Activations are quantised as they come, with one scale for a whole batch; so scores depend on the other texts of the
batch, and the classifier runs such a model one text at a time unless it is told not to.
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
    """Writes into `folder` what the package in `fp32` is in 8 bits; False when there was no matrix product to change.

    Weights have one scale a column. They take 7 bits where 8 could overflow in sums of 16 bits: on x86 processors
    without VNNI instructions (`reduce_range`).
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
    """Whether products of 8 bits are summed in 32 bits here: VNNI on x86, always elsewhere."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The tool advises, through the root logger, a preparation that only convolutions and unknown shapes need."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
