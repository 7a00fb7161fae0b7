"""All settings of a run: one section a room, from one TOML file, each with a default and a range."""

import difflib
import textwrap
import tomllib
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import tomli_w
from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from . import address, bare
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

    @field_validator("tracking")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and (wrong := address.fault(value)):
            raise ValueError(wrong)
        return value


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
    """`values` with each `section.key=value` put in; a value is TOML, or the same without the quotes, which a shell
    takes away (`data.slices=[a, b]`, also `a,b`), or else the string as it stands."""
    changed = merge(values)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        section, dot, name = key.strip().partition(".")
        if not (equals and dot and section and name):
            raise UserError(f"use --set {assignment}: expected SECTION.KEY=VALUE")
        field = _field(section.strip(), name.strip())
        changed = merge(changed, {section.strip(): {name.strip(): _value(text.strip(), field)}})
    return changed


def _value(text: str, field: FieldInfo | None) -> Any:
    """A setting that is text is never read as a number or a list: `run.version=1.0` has no quotes either."""
    origin = None if field is None else get_origin(field.annotation)
    kinds = set(get_args(field.annotation) or (field.annotation,)) if field is not None else set()
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = bare.value(text)
    if kinds and origin in (None, Union, UnionType) and kinds <= {str, Path, type(None)}:
        return value if isinstance(value, str) else text
    if origin is tuple and not isinstance(value, list):
        return bare.items(text) if isinstance(value, str) else [value]
    return value


def _field(section: str, name: str) -> FieldInfo | None:
    """The setting that is meant; None where there is none, which `check` says."""
    known = Settings.model_fields.get(section)
    return known.annotation.model_fields.get(name) if known is not None else None  # type: ignore[union-attr]


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Section -> key -> value; a later layer wins, key by key."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for section, keys in layer.items():
            is_section = isinstance(keys, Mapping) and isinstance(merged.get(section, {}), Mapping)
            merged[section] = {**merged.get(section, {}), **keys} if is_section else keys
    return merged


def to_toml(values: Mapping[str, Any]) -> str:
    """Settings (or a part of them) as a file that `read` takes; a key without a value is left out."""
    return tomli_w.dumps({section: {key: value for key, value in keys.items() if value is not None}
                          for section, keys in values.items()})  # fmt: skip


def document() -> str:
    """A settings file with every key, its default and what it means; keys without a default are commented out."""
    lines = ["# Every setting of labelstream-train with its default. All may be left out.", ""]
    defaults = Settings().dump()
    for section, field in Settings.model_fields.items():
        about = (field.annotation.__doc__ or "").strip() if field.annotation else ""
        lines += [*(f"# {line.strip()}".rstrip() for line in about.splitlines()), f"[{section}]"]
        for key, known in field.annotation.model_fields.items():  # type: ignore[union-attr]
            value = defaults[section][key]
            shown = f"# {key} =" if value is None else _line(key, value)
            lines += [*textwrap.wrap(_about(known), 116, initial_indent="# ", subsequent_indent="#   "), shown]
        lines.append("")
    return "\n".join(lines)


def _line(key: str, value: Any) -> str:
    """A table is written inline, as a header would end the section."""
    if not isinstance(value, dict):
        return tomli_w.dumps({key: value}).strip()
    return f"{key} = {{{', '.join(_line(name, each) for name, each in value.items())}}}"


def _about(field: FieldInfo) -> str:
    """Description, range and choices of a setting."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [f"{sign} {getattr(each, name)}" for each in field.metadata for name, sign in signs.items()
              if getattr(each, name, None) is not None]  # fmt: skip
    choices = [str(each) for each in get_args(field.annotation)] if get_origin(field.annotation) is Literal else []
    about = " ".join((field.description or "").split())
    extra = ", ".join([*limits, *([f"one of {', '.join(choices)}"] if choices else [])])
    return f"{about} ({extra})" if extra else about


def check(values: dict[str, Any]) -> Settings:
    """Settings of plain values; the error names each wrong key, what it expects and what was found."""
    try:
        return Settings.model_validate(values)
    except ValidationError as cause:
        wrong = [_sentence(each) for each in cause.errors()]
        raise UserError(f"use the settings: {'; '.join(wrong)}") from cause


def _sentence(error: ErrorDetails) -> str:
    """Key, what is expected, what was found."""
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        keys = [
            section if len(error["loc"]) == 1 else f"{section}.{name}"
            for section, field in Settings.model_fields.items()
            for name in field.annotation.model_fields
        ]  # type: ignore[union-attr]
        near = difflib.get_close_matches(key, keys, 1)
        return f"there is no {key}" + (f", expected {near[0]}?" if near else ", see `settings` for all")
    message = error["msg"].removeprefix("Value error, ")
    found = address.shown(error["input"]) if isinstance(error["input"], str) else error["input"]
    return f"{key}: {message[:1].lower()}{message[1:]}" + ("" if repr(found) in message else f", found {found!r}")
