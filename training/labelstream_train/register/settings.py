"""Section `[register]` of the settings file."""

from typing import Literal

from pydantic import Field, field_validator

from .. import address
from ..section import Section


class RegisterSettings(Section):
    """Where a package that passed its gate is registered. User name, password and token come from the
    environment (`MLFLOW_TRACKING_USERNAME`, `MLFLOW_TRACKING_PASSWORD`, `MLFLOW_TRACKING_TOKEN`)."""

    registry: str | None = None
    """Address of an MLflow server, `http://127.0.0.1:5000`; without one, nothing is registered."""

    model_name: str | None = Field(default=None, pattern=r"^[^/:@\s]{1,200}$")
    """Name of the registered model; the package's own name when it is not set."""

    alias: str = Field(default="challenger", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,99}$")
    """Alias that the registered version gets."""

    experiment: str = Field(default="labelstream", min_length=1, max_length=200)
    """MLflow experiment that the run is logged under; made when it is missing."""

    flavour: Literal["none", "pyfunc"] = "none"
    """`pyfunc`: MLmodel and its code lie beside the package's files, so that `mlflow models predict` can load it."""

    timeout_s: int = Field(default=30, ge=1, le=600)
    """Longest wait for one answer of the server, seconds."""

    retries_max: int = Field(default=2, ge=0, le=10)
    """How often a request is tried again when the server does not answer."""

    @field_validator("registry")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and (wrong := address.fault(value)):
            raise ValueError(wrong)
        return value
