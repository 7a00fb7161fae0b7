"""The settings `[data]` and `[split]`: where the texts are, and how they are split."""

import codecs
from typing import Literal

from pydantic import Field, field_validator

from ..errors import UserError
from ..section import Section


class DataSettings(Section):
    """Files and columns of the data, and its licence, which the package repeats."""

    path: str | None = Field(None, description="A file, or a folder of files, with labelled texts.")
    test: str | None = Field(None, description="File of labelled texts for testing; default: split off from `path`.")
    validation: str | None = Field(
        None,
        description="File of labelled texts for choosing the epoch and for calibration; default: split off from train.",
    )
    out_of_scope: str | None = Field(None, description="File of texts that belong to no label.")
    out_of_scope_label: str | None = Field(None, description="Rows with this label are out of scope.")
    text: str | None = Field(None, description="Column of the text; default: the first of the usual names.")
    label: str | None = Field(None, description="Column of the label(s); default: the first of the usual names.")
    multi_label: bool = Field(False, description="Whether a text may have any number of labels.")
    label_separator: str | None = Field(None, description="Separator between the labels of one string.")
    label_names: dict[str, str] = Field({}, description="Label in the files -> its new name; other labels keep theirs.")
    delimiter: str | None = Field(
        None,
        description="Column separator of CSV and TSV files, one character or `tab`; default: comma in CSV, tab in TSV.",
    )
    encoding: str | None = Field(
        None, description="Encoding of CSV, TSV and JSON files, for example cp1252; default: UTF-8."
    )
    group: str | None = Field(None, description="Column of the group (author, ticket, ...), which is never split.")
    time: str | None = Field(None, description="Column of the time: ISO 8601, or Unix seconds or milliseconds.")
    time_format: str | None = Field(
        None, description="Format of other times, for example %d.%m.%Y %H:%M (Python's strptime)."
    )
    id: str | None = Field(None, description="Column of the row's id; default: the first of the usual names.")
    slices: tuple[str, ...] = Field(
        (), description="Columns by whose values metrics are reported (source, language, ...)."
    )
    name: str | None = Field(None, description="Name of the data; default: that of the file or folder.")
    licence: str | None = Field(None, description="Licence of the data, as an SPDX name if it has one.")
    attribution: str | None = Field(None, description="Authors of the data.")

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        value = "\t" if value in ("tab", "\\t") else value
        if value is not None and (len(value) != 1 or value in '\r\n"'):
            raise ValueError("expected one character, or `tab`")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            if value is not None and not codecs.lookup(value)._is_text_encoding:
                raise LookupError
        except LookupError:
            raise ValueError("expected an encoding that Python supports, such as cp1252, latin-1 or utf-16") from None
        return value


class SplitSettings(Section):
    """How the data is split into train, held-out and test, unless its files say so."""

    by: Literal["auto", "random", "group", "time"] = Field(
        "auto",
        description="`time`: the newest texts become test; `auto`: by `data.group` or `data.time` if one is set.",
    )
    seed: int = Field(
        0, ge=0, description="Seed of the split only, so that runs with different seeds can share a split."
    )
    validation: Literal["held_out", "train"] = Field(
        "held_out", description="Whether a validation file is held out or joins the training texts."
    )
    test_share: float = Field(
        0.2, gt=0, lt=1, description="Share of the texts that become test if there is no test file."
    )
    held_out_share: float = Field(
        0.05, gt=0, lt=1, description="Share of train that is held out for choosing the epoch and for calibration."
    )

    def chosen(self, data: DataSettings) -> Literal["random", "group", "time"]:
        """Resolves `auto`. A group and a time together are an error: the user must choose."""
        if self.by != "auto":
            return self.by
        if data.group and data.time:
            raise UserError("split the data: both data.group and data.time are set; choose one with --split (split.by)")
        return "group" if data.group else "time" if data.time else "random"
