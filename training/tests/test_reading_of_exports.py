"""Files as other programs export them: Excel's semicolons and code pages, pandas' JSON, labels that are no text."""

import gzip
import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from labelstream_train import cli
from labelstream_train.data.load import examples, load
from labelstream_train.data.settings import DataSettings
from labelstream_train.errors import UserError
from labelstream_train.validate import labels as label_checks
from labelstream_train.validate.settings import ValidateSettings

TEXTS = [("Grüße", "a"), ("zweite", "b")]


def read(path: Path, **settings) -> list[tuple[str, ...]]:
    loaded = load(DataSettings(path=str(path), **settings))
    return [(each.text, *each.labels) for each in examples(loaded.train)]


def refused(path: Path, **settings) -> str:
    with pytest.raises(UserError) as error:
        read(path, **settings)
    return str(error.value)


def parquet(path: Path, **columns) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("value", "label"),
    [("a", "a"), (" a ", "a"), (b"gr\xc3\xbc", "grü"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (True, "true"),
     (Decimal("3.00"), "3"), (Decimal("2.50"), "2.5")],
)  # fmt: skip
def test_a_label_is_text_a_number_or_a_truth(tmp_path, value, label):
    assert read(parquet(tmp_path / "d.parquet", text=["x"], label=[value])) == [("x", label)]


@pytest.mark.parametrize(
    ("value", "said"),
    [({"id": 3}, "an object"), (b"\xff\xfe", "2 bytes that are not UTF-8 text"), (date(2026, 1, 2), "a date"),
     ([["a"]], "a list")],
)  # fmt: skip
def test_a_label_that_is_no_name_is_an_error_with_its_place(tmp_path, value, said):
    is_list = isinstance(value, list)
    path = parquet(tmp_path / "d.parquet", text=["x"], label=[value])
    message = refused(path, multi_label=is_list)
    assert f"d.parquet:1: `label` is {said}" in message


def test_an_object_as_label_in_json_is_an_error_with_its_line(tmp_path):
    rows = [{"text": "x", "label": "a"}, {"text": "y", "label": {"name": "b", "id": 4}}]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert "d.jsonl:2: `label` is an object" in refused(tmp_path / "d.jsonl")
    (tmp_path / "m.jsonl").write_text(json.dumps({"text": "x", "labels": ["a", {"name": "b"}]}))
    assert "m.jsonl:1: `labels` is an object" in refused(tmp_path / "m.jsonl", multi_label=True)


def test_texts_and_groups_in_bytes_are_read_and_objects_refused(tmp_path):
    path = parquet(
        tmp_path / "d.parquet", text=["Grüße".encode()], label=["a"], author=[b"ann"], day=[date(2026, 1, 2)]
    )
    loaded = load(DataSettings(path=str(path), group="author", slices=("day",)))
    found = loaded.train[0].example
    assert (found.text, found.group, dict(found.slices)) == ("Grüße", "ann", {"day": "2026-01-02"})
    bad = parquet(tmp_path / "bad.parquet", text=[b"\xff"], label=["a"])
    assert "bad.parquet:1: `text` is 1 bytes that are not UTF-8" in refused(bad)
    nested = parquet(tmp_path / "nested.parquet", text=["x"], label=["a"], author=[{"name": "ann"}])
    assert "nested.parquet:1: `author` is an object" in refused(nested, group="author")


def test_labels_in_two_unicode_forms_are_one(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\nx,Geb\u00fchr\ny,Gebu\u0308hr\n", encoding="utf-8")
    assert read(tmp_path / "d.csv") == [("x", "Geb\u00fchr"), ("y", "Geb\u00fchr")]


@pytest.mark.parametrize(
    ("train", "test", "label"),
    [("1.0", "1", "1"), ("1", "1.00", "1"), ("-2.0", "-2", "-2"), ("1.0", "1.0", "1.0"), ("1.0", "v1", "1.0")],
)
def test_whole_numbers_written_in_two_ways_are_one_label(tmp_path, train, test, label):
    """pandas writes 1.0 where a column has a missing value, 1 where it has none."""
    for name, value in (("train.csv", train), ("test.csv", test)):
        (tmp_path / name).write_text(f"text,label\n{name},{value}\n")
    loaded = load(DataSettings(path=str(tmp_path)))
    assert loaded.train[0].example.labels == (label,)
    assert bool(loaded.renamed) is (train != label or test not in (label, "v1"))


def test_numbers_of_two_forms_are_named_on_the_console(tmp_path, capsys):
    rows = [f"text {number} of {label},{label}" for label in ("1.0", "2.0") for number in range(20)]
    (tmp_path / "train.csv").write_text("text,label\n" + "\n".join(rows))
    (tmp_path / "test.csv").write_text("text,label\nnew one,1\nnew two,2\n")
    place = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert cli.main(["validate", *place]) == 0
    assert "label.same_number: 2 labels written as 1" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "data" / "parts.json").read_text())["labels"] == ["1", "2"]


@pytest.mark.parametrize(
    ("names", "doubled"),
    [(("c", "c++", "c#"), 0), (("1.1", "11"), 0), (("10", "1.0"), 0), (("a b", "A_b", "a-b"), 3), (("1.0", "1"), 2)],
)
def test_spellings_of_one_label_are_told_from_other_labels(names, doubled):
    found = list(label_checks._spellings(Counter(names), len(names), ValidateSettings()))
    assert found[0].count == doubled


def test_printed_forms_of_values_are_a_warning():
    names = ("b'pay'", "['a', 'b']", '{"id": 3}', "pay [online]", "plain")
    found = next(iter(label_checks._printed(Counter(names), 5, ValidateSettings())))
    assert (found.severity, found.count) == ("warning", 3)


@pytest.mark.parametrize(
    ("name", "content", "said", "flag"),
    [
        ("d.csv", "text;label\nx;a\n", "found semicolons: use --delimiter ';'", ";"),
        ("d.csv", "text\tlabel\nx\ta\n", "found tabs: use --delimiter tab", "tab"),
        ("d.csv", "text|label\nx|a\n", "found bars: use --delimiter '|'", "|"),
        ("d.tsv", "text,label\nx,a\n", "expected tabs between the columns, found commas: use --delimiter ','", ","),
        ("d.csv", "id;text;label;in, EUR\n1;x;a;3\n", "d.csv:2: expected 2 columns, found 1; semicolons seem to", ";"),
        ("d.csv", "sep=;\ntext;label\nx;a\n", "d.csv:1: it names semicolons as the column separator: use", ";"),
        ("d.csv", '"sep=;"\r\ntext;label\r\nx;a\r\n', "d.csv:1: it names semicolons as the column", ";"),
        ("d.csv", "sep=\t\ntext\tlabel\nx\ta\n", "it names tabs as the column separator: use --delimiter tab", "\\t"),
    ],
)  # fmt: skip
def test_another_delimiter_is_named_and_taken_when_given(tmp_path, name, content, said, flag):
    (tmp_path / name).write_text(content, newline="")
    assert said in refused(tmp_path / name)
    assert read(tmp_path / name, delimiter=flag) == [("x", "a")]


def test_a_delimiter_line_that_says_the_usual_is_no_row(tmp_path):
    (tmp_path / "d.csv").write_text("sep=,\ntext,label\nx,a\ny\n")
    assert "d.csv:4: expected 2 columns, found 1" in refused(tmp_path / "d.csv"), "lines are still counted right"
    with pytest.raises(ValueError, match="one character"):
        DataSettings(delimiter="::")


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        (
            "cp1252",
            r":3: byte 0xFC is not UTF-8; it may be cp1252, which Windows programs write: use --encoding cp1252",
        ),
        ("utf-16", ":1: it is in UTF-16, expected UTF-8; use --encoding utf-16"),
        ("utf-16-le", ":1: it is in UTF-16-LE, expected UTF-8; use --encoding utf-16-le"),
        ("utf-16-be", ":1: it is in UTF-16-BE, expected UTF-8"),
        ("utf-32", ":1: it is in UTF-32, expected UTF-8"),
    ],
)
@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.jsonl", "d.json", "d.csv.gz"])
def test_another_encoding_is_named_with_its_line_and_taken_when_given(tmp_path, name, encoding, said):
    mark = "\t" if ".tsv" in name else ","
    content = f"text{mark}label\nx{mark}a\nGrüße{mark}b\n"
    if "json" in name:
        lines = [
            json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in (("x", "a"), TEXTS[0])
        ]
        content = f"[\n{lines[0]},\n{lines[1]}\n]\n" if name == "d.json" else "\n" + "\n".join(lines)
    data = content.encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert f"{name}{said}" in refused(tmp_path / name)
    assert [text for text, _ in read(tmp_path / name, encoding=encoding)] == ["x", "Grüße"]


def test_a_given_encoding_that_does_not_fit_is_named_too(tmp_path):
    (tmp_path / "d.csv").write_bytes(b"text,label\nx,a\n\x81,b\n")
    assert "d.csv:3: byte 0x81 is not CP1252" in refused(tmp_path / "d.csv", encoding="cp1252")
    assert "d.csv:3: byte 0x81 is not UTF-8; save it as UTF-8, or name its encoding" in refused(tmp_path / "d.csv")
    (tmp_path / "cut.csv").write_bytes("text,label\nx,ü".encode()[:-1])
    assert "cut.csv:2: the file ends in the middle of a character" in refused(tmp_path / "cut.csv")
    with pytest.raises(ValueError, match="an encoding that Python supports"):
        DataSettings(encoding="klingon")


@pytest.mark.parametrize("header", [" Text ,LABEL", "TEXT,Label ", "Nr,text,label", "text,label,,"])
def test_columns_are_found_whatever_their_case_and_outer_spaces(tmp_path, header):
    rows = {"Nr,text,label": "1,x,a", "text,label,,": "x,a,,"}
    (tmp_path / "d.csv").write_text(f"{header}\n{rows.get(header, 'x,a')}\n")
    assert read(tmp_path / "d.csv") == [("x", "a")]
    assert read(tmp_path / "d.csv", text=" tExt", label="label") == [("x", "a")]


def test_columns_that_could_both_be_meant_are_an_error(tmp_path):
    (tmp_path / "d.csv").write_text("Text,TEXT ,label\nx,y,a\n")
    assert "several columns match 'text': 'Text', 'TEXT '; use the exact spelling of one" in refused(tmp_path / "d.csv")
    assert read(tmp_path / "d.csv", text="TEXT ") == [("y", "a")]
    (tmp_path / "e.csv").write_text(" Body of mail,label\nx,a\n")
    assert "found the columns ' Body of mail', 'label'" in refused(tmp_path / "e.csv", text="subject")


COLUMNS = {"text": ["x", "y", "z"], "label": ["a", "b", "a"]}


@pytest.mark.parametrize(
    "table",
    [
        {name: dict(zip("012", values, strict=True)) for name, values in COLUMNS.items()},
        {str(row): {name: values[row] for name, values in COLUMNS.items()} for row in range(3)},
        {"columns": ["text", "label"], "index": [0, 1, 2], "data": [["x", "a"], ["y", "b"], ["z", "a"]]},
        {"schema": {"fields": []}, "data": [dict(zip(COLUMNS, row, strict=True)) for row in ("xa", "yb", "za")]},
        {name: dict(zip(("r", "s", "t"), values, strict=True)) for name, values in COLUMNS.items()},
        COLUMNS,
    ],
    ids=["pandas", "index", "split", "table", "named rows", "lists"],
)  # fmt: skip
def test_the_forms_of_pandas_are_tables(tmp_path, table):
    (tmp_path / "d.json").write_text(json.dumps(table))
    assert read(tmp_path / "d.json") == [("x", "a"), ("y", "b"), ("z", "a")]


def test_json_that_is_no_table_is_named(tmp_path):
    (tmp_path / "d.json").write_text('{"text": ["x", "y"], "label": ["a"]}')
    assert "columns of the same length, found: 'text' has 2, 'label' has 1" in refused(tmp_path / "d.json")
    (tmp_path / "d.json").write_text('[["x", "a"]]')
    assert "d.json:1: expected an object with column names, found a list" in refused(tmp_path / "d.json")


def test_labels_of_the_files_can_stand_for_others(tmp_path, capsys):
    rows = [f"text {number} of {label},{label}" for label in ("neg", "pos") for number in range(20)]
    (tmp_path / "d.csv").write_text("text,label\n" + "\n".join(rows))
    place = ["--data", str(tmp_path / "d.csv"), "--out", str(tmp_path / "out")]
    assert cli.main(["validate", *place, "--label-name", "neg=negative", "--label-name", "pos=positive"]) == 0
    assert json.loads((tmp_path / "out" / "data" / "parts.json").read_text())["labels"] == ["negative", "positive"]
    assert cli.main(["validate", *place, "--label-name", "neg"]) == 2
    assert "use --label-name neg: expected LABEL=NAME" in capsys.readouterr().err


def test_the_console_says_which_file_became_which_part(tmp_path, capsys):
    from .shop_texts import rows

    for name, seed, each in (
        ("training.csv", 1, 20),
        ("valid.jsonl.gz", 2, 4),
        ("test.csv", 3, 4),
        ("extra.csv", 4, 1),
    ):
        lines = [json.dumps({"text": f"{text} {seed}", "label": label}) for text, label in rows(each, seed=seed)]
        if name.endswith(".gz"):
            (tmp_path / name).write_bytes(gzip.compress("\n".join(lines).encode()))
        else:
            table = "".join(f'"{text} {seed}",{label}\n' for text, label in rows(each, seed=seed))
            (tmp_path / name).write_text("text,label\n" + table)
    assert cli.main(["validate", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err.splitlines()
    for line in ("train         training.csv: 100 rows", "validation    valid.jsonl.gz: 20 rows",
                 "test          test.csv: 20 rows", "not read      extra.csv: its name matches no part"):  # fmt: skip
        assert line in told
    assert any(
        line.startswith("split by random: 100 train, 20 held out, 20 test, 0 out of scope; 5 labels") for line in told
    )
