"""Rows that cannot be used, times that cannot be read, ids that come twice: each named with the flag that goes on."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from labelstream_train import cli
from labelstream_train.data.load import load
from labelstream_train.data.settings import DataSettings
from labelstream_train.data.times import fitting

from .shop_texts import rows


def write(path: Path, each: int = 12, more: str = "", column: str = "", value=lambda number: "") -> Path:
    """A CSV file with one more column, and `more` lines behind."""
    lines = [f'"{text}",{label}' + (f',"{value(number)}"' if column else "")
             for number, (text, label) in enumerate(rows(each))]  # fmt: skip
    head = "text,label" + (f",{column}" if column else "")
    path.write_text("\n".join([head, *lines]) + "\n" + more, encoding="utf-8")
    return path


@pytest.fixture
def validate(tmp_path, capsys):
    """Runs the stage on a file; gives exit code and the lines of the console."""

    def call(data: Path, *flags: str) -> tuple[int, list[str]]:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        code = cli.main(["validate", "--data", str(data), "--out", str(out), *flags])
        return code, capsys.readouterr().err.splitlines()

    return call


def test_unusable_rows_are_an_error_that_names_the_way_on(tmp_path, validate):
    data = write(tmp_path / "d.csv", more=",track_parcel\nno label,\n")
    code, told = validate(data)
    assert code == 4
    for problem in ("text_missing", "label_missing"):
        (line,) = (line for line in told if f"row.{problem}" in line)
        assert line.startswith("error: ")
        assert "--drop-unusable drops such rows (validate.unusable_share_max, now 0, allows a share of them)" in line
    code, told = validate(data, "--drop-unusable")
    assert code == 0 and any("warning: row.text_missing: in 1 row" in line for line in told)
    assert validate(data, "--set", "validate.unusable_share_max=0.05")[0] == 0


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("%d.%m.%Y %H:%M", lambda n: f"{n % 28 + 1:02}.01.2026 14:{n % 60:02}"),
        ("%d/%m/%Y", lambda n: f"{n % 28 + 1:02}/01/2026"),
        ("%m/%d/%Y %I:%M %p", lambda n: f"01/{n % 28 + 1:02}/2026 02:{n % 60:02} PM"),
        ("%d %b %Y", lambda n: f"{n % 28 + 1} Jan 2026"),
        ("%a, %d %b %Y %H:%M:%S %z", lambda n: f"Thu, {n % 28 + 1:02} Jan 2026 14:30:00 +0100"),
        ("%a %b %d %H:%M:%S %Y", lambda n: f"Thu Jan {n % 28 + 1:02} 14:30:00 2026"),
    ],
)
def test_a_time_that_cannot_be_read_is_named_first_with_the_format_that_fits(tmp_path, validate, form, value):
    data = write(tmp_path / "d.csv", column="when", value=value)
    code, told = validate(data, "--time", "when")
    first = next(line for line in told if line.startswith("error"))
    assert code == 4 and first.startswith("error: row.time_unreadable: ")
    assert f"column `when` {value(0)[:40]!r} is neither ISO 8601 nor Unix time; it fits {form}" in first
    assert f"use --time-format '{form}'" in first
    code, told = validate(data, "--time", "when", "--time-format", form)
    assert code == 0, told


def test_a_time_that_nothing_fits_is_named_with_its_column(tmp_path, validate):
    data = write(tmp_path / "d.csv", column="when", value=lambda n: "last tuesday")
    code, told = validate(data, "--time", "when")
    first = next(line for line in told if line.startswith("error"))
    assert code == 4 and "column `when` 'last tuesday' is neither" in first and "--time-format '" in first
    assert fitting(["1.2.2026", "soon"]) is None and fitting([]) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda n: f"2026-01-01T{n % 24:02}:00:00" + ("Z" if n % 4 else ""), "15 in ISO 8601 without an offset"),
        (lambda n: f"2026-01-01T{n % 24:02}:00:00Z" if n % 4 else str(1_767_225_600 + n), "15 in Unix seconds"),
        (lambda n: str(1_767_225_600 + n) if n % 4 else str(1000 * (1_767_225_600 + n)), "15 in Unix milliseconds"),
    ],
)
def test_times_of_several_forms_are_a_warning(tmp_path, validate, value, said):
    _, told = validate(write(tmp_path / "d.csv", column="when", value=value), "--time", "when", "--split", "random")
    (line,) = (line for line in told if "time.mixed_forms" in line)
    assert line.startswith("warning: time.mixed_forms: times are written in 2 forms: 45 in ") and said in line
    same = write(tmp_path / "same.csv", column="when", value=lambda n: f"2026-01-01T{n % 24:02}:00:00Z")
    assert not [line for line in validate(same, "--time", "when", "--split", "random")[1] if "mixed_forms" in line]


def test_ids_that_come_twice_are_named(tmp_path, validate):
    data = write(tmp_path / "d.csv", column="ID", value=lambda n: n % 58)
    (line,) = (line for line in validate(data)[1] if "duplicate_id" in line)
    assert line.startswith("warning: row.duplicate_id: 4 rows share an id with another row: '0' 2 times, '1' 2 times")
    assert not [
        line for line in validate(write(tmp_path / "e.csv", column="id", value=str))[1] if "duplicate_id" in line
    ]
    other = write(tmp_path / "f.csv", column="number", value=lambda n: 7)
    assert not [line for line in validate(other)[1] if "duplicate_id" in line]
    assert [line for line in validate(other, "--set", "data.id=number")[1] if "duplicate_id: 60 rows" in line]


def test_labels_with_few_texts_are_named_on_the_console(tmp_path, validate):
    data = write(tmp_path / "d.csv", more="".join(f"rare thing {word},rare\n" for word in ("one", "two", "three")))
    (line,) = (line for line in validate(data)[1] if "label.few_texts" in line)
    assert "(for example 'rare' with 3 texts)" in line


def test_a_text_over_the_limit_says_the_limit_and_what_to_do(tmp_path, validate):
    code, told = validate(write(tmp_path / "d.csv", more=f"{'x' * 1_000_001},pay_invoice\n"))
    (line,) = (line for line in told if "row.text_too_long" in line)
    assert code == 4 and "more than 1,000,000 characters" in line and "shorten or split it" in line


@pytest.mark.parametrize("name", ["d.jsonl", "d.parquet", "d.csv"])
def test_an_empty_list_is_none_of_the_labels(tmp_path, validate, name):
    """Texts that have none of the labels teach as much as others do; a list that is absent is still missing."""
    found = [{"text": f"{text} {n}", "labels": [label] if n % 4 else []} for n, (text, label) in enumerate(rows(16))]
    if name == "d.parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(found), tmp_path / name)
    elif name == "d.csv":
        lines = [f'"{each["text"]}",{";".join(each["labels"])}' for each in found]
        (tmp_path / name).write_text("\n".join(["text,labels", *lines]))
    else:
        (tmp_path / name).write_text("\n".join(map(json.dumps, found)))
    more = ["--label-separator", ";"] if name == "d.csv" else []
    code, told = validate(tmp_path / name, "--multi-label", *more)
    assert code == 0, told
    loaded = load(DataSettings(path=str(tmp_path / name), multi_label=True))
    assert sum(row.example.labels == () and row.problem is None for row in loaded.train) == 20
    if name == "d.jsonl":
        (tmp_path / name).write_text(json.dumps({"text": "x", "labels": None}))
        assert load(DataSettings(path=str(tmp_path / name), multi_label=True)).train[0].problem == "label_missing"
