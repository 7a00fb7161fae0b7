"""All settings of a run: one section a room, from one TOML file, each with a default and a range."""

import tomllib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from .data.settings import DataSettings, SplitSettings
from .encoder.settings import EncoderSettings
from .errors import UserError
from .evaluate.settings import EvaluateSettings
from .fast.settings import FastSettings
from .gate.settings import GateSettings
from .package.settings import ExportSettings
from .register.settings import RegisterSettings
from .section import Section
from .tune.settings import TuneSettings
from .validate.settings import ValidateSettings


class RunSettings(Section):
    """What the run makes."""

    tier: Literal["encoder", "fast"] = Field("encoder", description="`fast`: no network, for high rates.")
    seed: int = Field(0, ge=0, description="Of everything random but the split.")
    name: str | None = Field(None, description="Name of the package; none: data's name and the tier.")
    version: str = Field("0.1.0", description="Version of the package.")
    threads: int = Field(0, ge=0, description="Threads to compute with; 0: all cores.")
    tracking: str | None = Field(None, description="MLflow server that training and tuning are logged to.")
    experiment: str = Field("labelstream", description="Name of the MLflow experiment.")


# pydantic has long deprecated methods of these two names, and warns that the sections hide them.
warnings.filterwarnings("ignore", "Field name .* shadows an attribute in parent", UserWarning, __name__)


class Settings(Section):
    """Every section has defaults, so an empty file is valid."""

    run: RunSettings = RunSettings()
    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    validate: ValidateSettings = ValidateSettings()
    tune: TuneSettings = TuneSettings()
    encoder: EncoderSettings = EncoderSettings()
    fast: FastSettings = FastSettings()
    export: ExportSettings = ExportSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    gate: GateSettings = GateSettings()
    register: RegisterSettings = RegisterSettings()

    def dump(self) -> dict[str, dict[str, Any]]:
        """Section -> key -> value, by the names of the file."""
        return self.model_dump(mode="json")


def read(path: Path) -> dict[str, Any]:
    """A settings file as plain values; `check` makes settings of them."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise UserError(f"read {path}: {cause}") from cause


def override(values: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """`values` with each `section.key=value` put in; a value is TOML, or else the string as it stands."""
    changed = {section: dict(keys) if isinstance(keys, dict) else keys for section, keys in values.items()}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        section, dot, name = key.strip().partition(".")
        if not (equals and dot and section and name):
            raise UserError(f"use --set {assignment}: expected SECTION.KEY=VALUE")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        changed.setdefault(section, {})[name] = value
    return changed


def check(values: dict[str, Any]) -> Settings:
    """Settings of plain values; the error names each wrong key, what it expects and what was found."""
    try:
        return Settings.model_validate(values)
    except ValidationError as cause:
        wrong = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg'].lower()}, found {each['input']!r}"
            for each in cause.errors()
        ]
        raise UserError(f"use the settings: {'; '.join(wrong)}") from cause
