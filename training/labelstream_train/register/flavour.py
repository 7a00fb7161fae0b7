"""The files that turn a package into an MLflow model: MLmodel, its environment, and the code that loads it.

They lie beside the package's files but are not part of it: its digest and the program that serves it ignore them. We
write them ourselves because MLflow's writer needs pandas, which its client (`mlflow-skinny`) does not install.
"""

import importlib.metadata
import json
import platform
import shutil
from datetime import UTC, datetime
from pathlib import Path

from ..package import pyfunc
from ..package.scorer import Scorer

NEEDED = ("numpy", "onnxruntime", "tokenizers", "pandas")
ROOT = Path(__file__).parents[1]


def write(package: Path, folder: Path) -> None:
    """Writes the files into `folder`."""
    for name in pyfunc.MODULES:
        target = folder / "code" / "labelstream_train" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    requirements = [_requirement(name) for name in NEEDED]
    (folder / "requirements.txt").write_text("\n".join([*requirements, ""]), encoding="utf-8")
    python = {"python": platform.python_version(), "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(json.dumps(python, indent=1) + "\n", encoding="utf-8")
    (folder / "MLmodel").write_text(json.dumps(_model(package), indent=1) + "\n", encoding="utf-8")


def _model(package: Path) -> dict:
    """The content of MLmodel; it is YAML, of which JSON is a subset."""
    outputs = [{"type": "string", "name": "label", "required": False}, {"type": "double", "name": "score"}]
    if Scorer(package, threads=1).is_multi_label:
        outputs.append({"type": "array", "items": {"type": "string"}, "name": "labels"})
    inputs = [{"type": "string", "name": "text", "required": True}]
    flavour = {
        "loader_module": "labelstream_train.package.pyfunc",
        "code": "code",
        "env": {"virtualenv": "python_env.yaml"},
        "python_version": platform.python_version(),
    }
    return {
        "flavors": {"python_function": flavour},
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None},
        "utc_time_created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    }


def _requirement(name: str) -> str:
    try:
        return f"{name}=={importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name
