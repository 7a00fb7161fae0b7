"""Finds data files that come in an installed Python package, without running the package's code."""

import importlib.util
from pathlib import Path


def folder(name: str) -> Path | None:
    """The folder of the installed package called `name` (`-` and `_` are the same); None where there is none."""
    try:
        module = importlib.util.find_spec(name.replace("-", "_"))
    except (ImportError, ValueError):
        return None
    return None if module is None or module.origin is None else Path(module.origin).parent
