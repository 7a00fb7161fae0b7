"""Chooses whether training computes matrix products in bfloat16; the weights stay in 32 bits."""

from typing import Literal

import torch


def uses_bfloat16(setting: Literal["auto", "on", "off"]) -> bool:
    """`auto` uses bfloat16 if the processor supports it; emulation would be slower than 32 bits."""
    if setting != "auto":
        return setting == "on"
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, lambda: False)() for check in checks)
