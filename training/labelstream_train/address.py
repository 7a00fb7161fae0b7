"""Addresses of MLflow servers: what is one, and how a wrong one is shown: as it was written, but for passwords."""

import re
from urllib.parse import urlsplit

FORM = "expected http://HOST:PORT or https://..., and credentials in MLFLOW_TRACKING_USERNAME and _PASSWORD"


def fault(address: str) -> str | None:
    """What is wrong with an address, as a fragment that shows it; None where it is right."""
    try:
        parts = urlsplit(address)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"[\s@]", address)
        is_right = is_right and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, a bracket that does not close
        is_right = False
    return None if is_right else f"{shown(address)!r}: {FORM}{_meant(address)}"


def shown(address: str) -> str:
    """The address with credentials masked, with or without a scheme before them."""
    return re.sub(r"(^|//)[^/@\s]+@", r"\1***@", address.strip())


def _meant(address: str) -> str:
    """A host and port lack only their scheme."""
    bare = address.strip().removeprefix("//")
    is_host = re.fullmatch(r"(localhost|[\w-]+(\.[\w-]+)+|\[[0-9A-Fa-f:]+\]|[\w-]+(?=:))(:\d{1,5})?(/\S*)?", bare)
    return f"; did you mean http://{bare}?" if is_host else ""
