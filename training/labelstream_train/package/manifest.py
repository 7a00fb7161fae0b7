"""labelstream.json: reads and writes it, adds metrics to it, and computes a package's digest as the classifier does.

The classifier (`engine/src/package/manifest.rs`) refuses unknown fields, so a new field must be added there, too.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import json_file
from ..digests import sha256

NAME = "labelstream.json"
MODEL_FILES = ("model.onnx", "tokenizer.json", "config.json")
DRIFT_PROFILE = "drift.profile"


def read(folder: Path) -> dict[str, Any]:
    """The manifest of the package in `folder`."""
    return json_file.read_object(folder / NAME)


def write(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Writes labelstream.json, whole or not at all. `drift_reference` comes last, as the digest of a package excludes
    it."""
    ordered = {key: value for key, value in manifest.items() if key != "drift_reference"}
    if manifest.get("drift_reference") is not None:
        ordered["drift_reference"] = manifest["drift_reference"]
    json_file.write(folder / NAME, ordered)


def update_metrics(folder: Path, metrics: Mapping[str, float]) -> None:
    """Adds or replaces entries of `metrics`, to five digits. Changes the package's digest."""
    manifest = read(folder)
    manifest["metrics"] = manifest.get("metrics", {}) | {name: rounded(value) for name, value in metrics.items()}
    write(folder, manifest)


def file_digest(path: Path) -> dict[str, Any]:
    """{sha256, bytes} of a file, as `files` and `drift_reference` list it."""
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def package_digest(folder: Path) -> str:
    """The classifier's id of the package: equal digests give equal scores.

    The SHA-256 of `sha256sum`'s lines for config.json, labelstream.json without its drift reference, model.onnx and
    tokenizer.json. The manifest must be one that `write` wrote.
    """
    lines = []
    for name in sorted((*MODEL_FILES, NAME)):
        content = (folder / name).read_bytes()
        if name == NAME:
            content = _without_reference(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def rounded(value: float) -> float:
    """Five significant digits; integers stay exact."""
    return value if isinstance(value, int) else float(f"{value:.5g}")


def _without_reference(content: bytes) -> bytes:
    """The file as `write` wrote it before `drift_reference` was added at its end."""
    start = content.rfind(b',\n "drift_reference": {')
    return content if start < 0 else content[:start] + b"\n}\n"
