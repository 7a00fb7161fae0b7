"""Checks addresses of MLflow servers, and masks credentials when it shows one."""

import re
from urllib.parse import urlsplit

FORM = "expected http://HOST:PORT or https://..., and credentials in MLFLOW_TRACKING_USERNAME and _PASSWORD"


def fault(address: str) -> str | None:
    """What is wrong with an address, as a fragment that shows it; None if it is valid."""
    try:
        parts = urlsplit(address)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"[\s@]", address)
        is_right = is_right and (parts.port is None or parts.port > 0)
    except ValueError:  # the port is not a number, or a bracket is not closed
        is_right = False
    return None if is_right else f"{shown(address)!r}: {FORM}{_meant(address)}"


def shown(address: str) -> str:
    """The address with its credentials masked, with or without a scheme."""
    return re.sub(r"(^|//)[^/@\s]+@", r"\1***@", address.strip())


def _meant(address: str) -> str:
    """Suggests the address with a scheme if only that is missing."""
    bare = address.strip().removeprefix("//")
    is_host = re.fullmatch(r"(localhost|[\w-]+(\.[\w-]+)+|\[[0-9A-Fa-f:]+\]|[\w-]+(?=:))(:\d{1,5})?(/\S*)?", bare)
    return f"; did you mean http://{bare}?" if is_host else ""
