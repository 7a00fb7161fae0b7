"""Whether matrix products are computed in 16 bits while training (the weights stay in 32)."""

from typing import Literal

import torch


def uses_bfloat16(setting: Literal["auto", "on", "off"]) -> bool:
    """`auto` is on where the processor multiplies bfloat16 itself; elsewhere it is emulated and slower."""
    if setting != "auto":
        return setting == "on"
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, lambda: False)() for check in checks)
