"""SHA-256 of files: packages, data and base models are identified by it."""

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """Hex digest of the file's bytes on disk (compressed ones for .gz)."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
