"""Describes the machine of a timing: processor, instruction sets, load, and steal time."""

import os
import platform
from pathlib import Path

INSTRUCTIONS = (
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
)
"""Instruction sets by which ONNX Runtime chooses its kernels."""


def describe() -> dict:
    """{system, processor, instructions, cores}; unknown values are None or empty."""
    facts = _cpuinfo(Path("/proc/cpuinfo"))
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": facts.get("model name") or platform.processor() or None,
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "cores": cores(),
    }


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float | None:
    """The load average of the last minute; None if the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def ticks(stat: Path = Path("/proc/stat")) -> tuple[int, int]:
    """(stolen, all) time of all cores since the start, in ticks; (0, 0) where the system does not say.

    Stolen is what the host of a virtual machine gave to others while we had work (`man 5 proc`).
    """
    try:
        first = [int(each) for each in stat.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return 0, 0
    return (first[7] if len(first) > 7 else 0), sum(first)


def _cpuinfo(path: Path) -> dict[str, str]:
    try:
        first = path.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
