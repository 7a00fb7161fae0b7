"""The settings `[data]` and `[split]`: where the texts are, and which of them test the model."""

import codecs
from typing import Literal

from pydantic import Field, field_validator

from ..errors import UserError
from ..section import Section


class DataSettings(Section):
    """Files and columns, and the terms of the data, which the package repeats."""

    path: str | None = Field(None, description="A file, or a folder of files, with labelled texts.")
    test: str | None = Field(None, description="A file of labelled texts that test the model; none: part of `path`.")
    validation: str | None = Field(None, description="A file to choose and calibrate by; none: part of train.")
    out_of_scope: str | None = Field(None, description="A file of texts that belong to none of the labels.")
    out_of_scope_label: str | None = Field(None, description="Rows with this label are out of scope.")
    text: str | None = Field(None, description="Column of the text; none: the first there is of the usual names.")
    label: str | None = Field(None, description="Column of the label(s); none: the first there is of the usual names.")
    multi_label: bool = Field(False, description="Whether a text may have any number of labels.")
    label_separator: str | None = Field(None, description="What stands between labels where they are one string.")
    label_names: dict[str, str] = Field(
        {}, description="Label in the files -> the label that it stands for; others stay as they are."
    )
    delimiter: str | None = Field(
        None, description="What parts the columns of CSV and TSV files, one character or `tab`; none: comma, tab."
    )
    encoding: str | None = Field(None, description="Encoding of CSV, TSV and JSON files, as cp1252; none: UTF-8.")
    group: str | None = Field(
        None, description="Column of the group (author, ticket, ...) kept on one side of a split."
    )
    time: str | None = Field(None, description="Column of the time: ISO 8601, or Unix seconds or milliseconds.")
    time_format: str | None = Field(
        None, description="Format of the time where it is neither, as %d.%m.%Y %H:%M (Python's strptime)."
    )
    id: str | None = Field(None, description="Column that names a row; none: the first there is of the usual names.")
    slices: tuple[str, ...] = Field((), description="Columns that figures are reported by (source, language, ...).")
    name: str | None = Field(None, description="Name of the data; none: that of the file or folder.")
    licence: str | None = Field(None, description="Licence of the data (an SPDX name where there is one).")
    attribution: str | None = Field(None, description="Whom the data is from.")

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
            raise ValueError("expected an encoding that Python knows, such as cp1252, latin-1 or utf-16") from None
        return value


class SplitSettings(Section):
    """How train, held-out and test are cut where the data does not say."""

    by: Literal["auto", "random", "group", "time"] = Field(
        "auto", description="`time`: the newest part is test; `auto`: by `data.group` or `data.time` where one is set."
    )
    seed: int = Field(0, ge=0, description="Of the split only, so that runs with several seeds can share one.")
    validation: Literal["held_out", "train"] = Field(
        "held_out", description="What a validation file is for: to be held out, or to learn from as well."
    )
    test_share: float = Field(0.2, gt=0, lt=1, description="Part of the texts that is test where no test file is.")
    held_out_share: float = Field(0.05, gt=0, lt=1, description="Part of train held out to choose and calibrate by.")

    def chosen(self, data: DataSettings) -> Literal["random", "group", "time"]:
        """`by`, decided. Both a group and a time are an error here: which of them must not leak?"""
        if self.by != "auto":
            return self.by
        if data.group and data.time:
            raise UserError("split the data: data.group and data.time are set; say which by split.by (--split)")
        return "group" if data.group else "time" if data.time else "random"
