"""Section `[register]` of the settings file."""

from typing import Literal

from pydantic import Field, field_validator

from .. import address
from ..section import Section


class RegisterSettings(Section):
    """The registry for packages that passed their gate. User name, password and token come from the
    environment (`MLFLOW_TRACKING_USERNAME`, `MLFLOW_TRACKING_PASSWORD`, `MLFLOW_TRACKING_TOKEN`)."""

    registry: str | None = None
    """Address of an MLflow server, for example `http://127.0.0.1:5000`; default: do not register."""

    model_name: str | None = Field(default=None, pattern=r"^[^/:@\s]{1,200}$")
    """Name of the registered model; default: the package's name."""

    alias: str = Field(default="challenger", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,99}$")
    """Alias of the registered version."""

    experiment: str = Field(default="labelstream", min_length=1, max_length=200)
    """MLflow experiment of the run; created if missing."""

    flavour: Literal["none", "pyfunc"] = "none"
    """`pyfunc`: also register MLmodel and its code, so that `mlflow models predict` can load the package."""

    timeout_s: int = Field(default=30, ge=1, le=600)
    """Timeout of a request to the server, seconds."""

    retries_max: int = Field(default=2, ge=0, le=10)
    """Retries of a request if the server does not answer."""

    @field_validator("registry")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and (wrong := address.fault(value)):
            raise ValueError(wrong)
        return value
