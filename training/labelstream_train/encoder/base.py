"""Finds the base model: weights, sizes and tokenizer, by Python package, folder or a model hub's name.

A base model is three files in the Hugging Face layout (config.json, model.safetensors, tokenizer.json).
Only a hub's name leads to a download, into the hub library's own cache; HF_ENDPOINT names another hub.
"""

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from ..errors import UserError
from ..json_file import read_object
from . import architectures
from .network import Shape
from .settings import DEFAULT_BASE

FILES = ("config.json", "model.safetensors", "tokenizer.json")
CARRIES = {DEFAULT_BASE: "sentence-transformers/all-MiniLM-L6-v2"}
"""What Python packages hold. This one is under Apache-2.0; thanks to it, training needs no model hub."""

_HUB_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True, slots=True)
class Base:
    """The files of a base model; nothing is read before it is asked for."""

    folder: Path
    name: str

    def shape(self) -> Shape:
        """The encoder's sizes from config.json."""
        return architectures.shape(self.config(), self.name)

    def config(self) -> dict:
        """config.json as it is written."""
        return read_object(self.folder / "config.json")

    def weights(self) -> dict[str, Tensor]:
        """Names of `network.Classifier` -> tensors, without a head."""
        try:
            found = load_file(self.folder / "model.safetensors")
        except (SafetensorError, OSError) as cause:
            raise UserError(f"read {self.folder / 'model.safetensors'}: {cause}") from cause
        return architectures.rename(self.config(), found, self.name)

    def weights_sha256(self) -> str:
        """Hex digest of the weights' file: says in the model card what was started from."""
        with (self.folder / "model.safetensors").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def tokenizer(self) -> Tokenizer:
        """The tokenizer without padding and truncation: who calls it decides on both."""
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
        return _checked(Base(_of_package(name), CARRIES.get(name, name)))
    hub_name = _HUB_NAME.fullmatch(name)
    if hub_name and not name.startswith("."):
        return _checked(Base(_download(hub_name["repository"], hub_name["revision"]), name))
    raise UserError(
        f"find the base model {name}: it is neither a folder, nor a package's name, nor OWNER/NAME of a hub"
    )


def _checked(base: Base) -> Base:
    for file in FILES:
        if not (base.folder / file).is_file():
            raise UserError(
                f"find the base model {base.name}: {base.folder / file} is missing; needed: {', '.join(FILES)}"
            )
    return base


def _of_package(name: str) -> Path:
    """The folder with the files inside an installed package: its own, or one that lies in it."""
    try:
        module = importlib.util.find_spec(name.replace("-", "_"))
    except (ImportError, ValueError):
        module = None
    if module is None or module.origin is None:
        raise UserError(
            f"find the base model {name}: no such folder and no such package; install {name}, or name a folder"
        )
    root = Path(module.origin).parent
    inside = [root, *sorted(path.parent for path in root.glob("*/config.json"))]
    return next((folder for folder in inside if (folder / "config.json").is_file()), root)


def _download(repository: str, revision: str | None) -> Path:
    """The three files from the hub, or from the hub library's cache when the hub cannot be reached."""
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
