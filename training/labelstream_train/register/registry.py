"""An MLflow server as a registry: a client with short timeouts, and its errors as sentences.

User name, password and token come from the environment (`MLFLOW_TRACKING_USERNAME`, `MLFLOW_TRACKING_PASSWORD`,
`MLFLOW_TRACKING_TOKEN`), read by MLflow's client. Only `mlflow-skinny` is needed. With MLflow's own
timeouts, a dead server would hang a command for minutes.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .. import address
from ..errors import Stopped, UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

TIMEOUT_S = 30
RETRIES_MAX = 2
"""Retries, for a server that restarts."""

UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""The server's error codes for an unknown model and an unknown alias."""


def connect(uri: str, timeout_s: int = TIMEOUT_S, retries_max: int = RETRIES_MAX) -> "MlflowClient":
    """A client for the server at `uri`; sends nothing yet. Limits in the environment take precedence."""
    if wrong := address.fault(uri):
        raise UserError(f"use the registry {wrong}")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(timeout_s))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries_max))
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    try:
        from mlflow import MlflowClient
    except ImportError as cause:
        raise UserError("use a registry: the package mlflow-skinny is missing; pip install mlflow-skinny") from cause
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def talking_to(uri: str, doing: str) -> Iterator[None]:
    """Turns the client's errors into one line that names the server and the operation."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except (MlflowException, RequestException) as cause:
        reason = " ".join(str(cause).split())
        if isinstance(cause, MlflowException) and cause.get_http_status_code() in (401, 403):
            reason = (
                "it refuses these credentials; set MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        elif "Max retries exceeded" in reason or isinstance(cause, RequestException):
            reason = f"it does not answer ({_innermost(cause)}); check the address and that the server is running"
        raise UserError(f"{doing} at the registry {uri}: {reason[:400]}") from cause


def version_of(client: "MlflowClient", name: str, alias: str) -> "ModelVersion | None":
    """The model version of an alias; None if the model or the alias does not exist."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as cause:
        if cause.error_code in UNKNOWN:
            return None
        raise


def download(client: "MlflowClient", version: "ModelVersion", folder: Path) -> Path:
    """Downloads the package of a model version into `folder`; returns its path."""
    from mlflow.artifacts import download_artifacts

    source = client.get_model_version_download_uri(version.name, str(version.version))
    folder.mkdir(parents=True, exist_ok=True)
    return Path(download_artifacts(artifact_uri=source, dst_path=str(folder), tracking_uri=client.tracking_uri))


def status_of(error: BaseException) -> str:
    """MLflow's status for a run that ended with this exception; KILLED if the user or the time limit stopped it."""
    return "KILLED" if isinstance(error, Stopped | KeyboardInterrupt | SystemExit) else "FAILED"


def _innermost(error: BaseException) -> str:
    """The last words of the innermost cause, such as `Connection refused`."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return " ".join(str(error).split())[-120:]
