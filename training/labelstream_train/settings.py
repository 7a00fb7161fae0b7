"""All settings of a run: one TOML file, one section per folder, each key with a default and a range."""

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
    """The package that the run makes."""

    tier: Literal["encoder", "fast"] = Field(
        "encoder", description="`encoder` is more accurate; `fast` has the higher throughput and needs no torch."
    )
    seed: int = Field(0, ge=0, description="Seed of everything random except the split.")
    name: str | None = Field(None, description="Name of the package; default: the name of the data and the tier.")
    version: str = Field("0.1.0", description="Version of the package.")
    threads: int = Field(0, ge=0, description="Number of threads; 0: all cores.")
    tracking: str | None = Field(None, description="MLflow server that training and tuning log to.")
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
    """A settings file as plain values; `check` turns them into settings."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise UserError(f"read {path}: {cause}") from cause


def override(values: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """`values` with each `section.key=value` applied. A value is TOML, or TOML without the quotes that a shell removes
    (`data.slices=[a, b]`, also `a,b`), or else a string."""
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
    """Text stays text: `run.version=1.0` is not a number, although it has no quotes."""
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
    """The setting of this name; None if there is none, which `check` reports."""
    known = Settings.model_fields.get(section)
    return known.annotation.model_fields.get(name) if known is not None else None  # type: ignore[union-attr]


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Section -> key -> value; for each key the last layer wins."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for section, keys in layer.items():
            is_section = isinstance(keys, Mapping) and isinstance(merged.get(section, {}), Mapping)
            merged[section] = {**merged.get(section, {}), **keys} if is_section else keys
    return merged


def to_toml(values: Mapping[str, Any]) -> str:
    """Settings (or some of them) as a file for `read`; keys without a value are left out."""
    return tomli_w.dumps({section: {key: value for key, value in keys.items() if value is not None}
                          for section, keys in values.items()})  # fmt: skip


def document() -> str:
    """A settings file with every key, its default and its meaning; keys without a default are commented out."""
    lines = ["# Every setting of labelstream-train with its default. All are optional.", ""]
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
    """Writes a table inline, because a table header would end the section."""
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
    """Settings from plain values; the error lists each wrong key with what it expects and what was found."""
    try:
        return Settings.model_validate(values)
    except ValidationError as cause:
        wrong = [_sentence(each) for each in cause.errors()]
        raise UserError(f"use the settings: {'; '.join(wrong)}") from cause


def _sentence(error: ErrorDetails) -> str:
    """The key, what it expects, and what was found."""
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        keys = [
            section if len(error["loc"]) == 1 else f"{section}.{name}"
            for section, field in Settings.model_fields.items()
            for name in field.annotation.model_fields
        ]  # type: ignore[union-attr]
        near = difflib.get_close_matches(key, keys, 1)
        return f"there is no {key}" + (f"; did you mean {near[0]}?" if near else "; `settings` lists all keys")
    message = error["msg"].removeprefix("Value error, ")
    found = address.shown(error["input"]) if isinstance(error["input"], str) else error["input"]
    return f"{key}: {message[:1].lower()}{message[1:]}" + ("" if repr(found) in message else f", found {found!r}")
