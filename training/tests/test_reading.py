"""Every format gives the same rows; a row that cannot be read is named with its file and line."""

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from labelstream_train.data.load import examples, load
from labelstream_train.data.rows import TEXT_CHARS_MAX, time_of
from labelstream_train.data.settings import DataSettings
from labelstream_train.digests import sha256
from labelstream_train.errors import UserError

ROWS = [('first,\n "quoted" line\r\nend', "a"), ("zweite Straße 💳", "b"), ("=third\t", "a"), ("4", "b c")]


def lines(rows=ROWS) -> bytes:
    return "".join(json.dumps({"id": 1, "text": t, "label": n}) + "\n" for t, n in rows).encode()


def write(path: Path) -> None:
    """`ROWS` in the format that the name says."""
    table = pyarrow.table({"text": [t for t, _ in ROWS], "label": [n for _, n in ROWS]})
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith((".csv", ".tsv")):
        with path.open("w", newline="", encoding="utf-8-sig" if name.endswith(".csv") else "utf-8") as stream:
            writer = csv.writer(stream, delimiter="\t" if name.endswith(".tsv") else ",")
            writer.writerows([("id", "text", "label"), *((n, *row) for n, row in enumerate(ROWS))])
    elif name.endswith((".jsonl", ".ndjson")):
        path.write_bytes(lines())
    elif name.endswith(".json"):
        path.write_text(json.dumps({"version": 1, "data": [{"text": t, "label": n} for t, n in ROWS]}))
    elif name.endswith(".parquet"):
        pyarrow.parquet.write_table(table, path)
    else:
        kind = pyarrow.ipc.new_stream if "stream" in name else pyarrow.ipc.new_file
        with kind(str(path), table.schema) as writer:
            writer.write_table(table)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    if path.suffix == ".zst":
        content = path.read_bytes()
        with pyarrow.output_stream(str(path), compression="zstd") as stream:
            stream.write(content)


def read(path: Path, **settings):
    loaded = load(DataSettings(path=str(path), **settings))
    return [(each.text, *each.labels) for each in examples(loaded.train)]


NAMES = ["d.csv", "d.tsv", "d.jsonl", "d.ndjson", "d.json", "d.parquet", "d.stream.arrow", "d.file.arrow",
         "d.csv.gz", "d.jsonl.gz", "d.jsonl.zst", "d.tsv.zst", "d.json.gz"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_the_same_rows(tmp_path, name):
    write(tmp_path / name)
    assert read(tmp_path / name) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("d.jsonl", lines() + b"{oops\n", r"d\.jsonl:5: not JSON"),
        ("d.jsonl", lines() + b"[]\n", r"d\.jsonl:5: expected an object with column names, found list"),
        ("d.jsonl", b"[" * 100_000 + b"\n", r"d\.jsonl:1: not JSON"),
        ("d.jsonl", lines() + b"\xff\n", r"d\.jsonl:5: byte 0xFF is not UTF-8"),
        ("d.json", b'{"a": 1}', r"d\.json: expected a list of objects, found dict"),
        ("d.json", lines(), r"d\.json: not JSON: .*\.jsonl"),
        ("d.json", b"[1]", r"d\.json:1: expected an object"),
        ("d.csv", b"text,label\na,b\nc\n", r"d\.csv:3: expected 2 columns, found 1"),
        ("d.csv", b'text,label\n"a\nb",x\n"c,d\n', r"d\.csv:4: unexpected end of data"),
        ("d.csv", b"text,text\na,b\n", r"d\.csv:1: two columns have the same name"),
        ("d.csv", b"text,kind\na,b\n", r"use --label COLUMN; found the columns 'text', 'kind'"),
        ("d.csv", b"a,b\n1,2\n", r"use --text COLUMN; found the columns 'a', 'b'"),
        ("d.csv", b"", "has no rows"),
        ("d.csv", b"text,label\n", "has no rows"),
        ("d.jsonl.gz", b"not gzip", r"d\.jsonl\.gz: Not a gzipped file"),
        ("d.jsonl.gz", gzip.compress(lines() * 500)[:-20], r"d\.jsonl\.gz: "),
        ("d.jsonl.zst", b"not zstd at all", r"d\.jsonl\.zst: "),
        ("d.parquet", b"PAR1 no PAR1", r"d\.parquet"),
        ("d.arrow", b"no arrow", r"d\.arrow"),
        ("d.txt", b"a", r"d\.txt: expected a name that ends in"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read(tmp_path / name)


def test_a_bad_row_is_a_problem_with_its_place(tmp_path):
    bad = [{"label": "a"}, {"text": None, "label": "a"}, {"text": 3, "label": "a"}, {"text": " \n", "label": "a"},
           {"text": "x" * (TEXT_CHARS_MAX + 1), "label": "a"}, {"text": "x"}, {"text": "x", "label": None},
           {"text": "x", "label": " "}, {"text": "x", "label": "a", "ts": "soon"}]  # fmt: skip
    good = {"text": "x", "label": "a", "ts": "2026-01-02"}
    rows = [good, *({"ts": 1_700_000_000} | row for row in bad)]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    loaded = load(DataSettings(path=str(tmp_path / "d.jsonl"), time="ts"))
    assert [(row.place, row.problem) for row in loaded.train] == [
        ("d.jsonl:1", None), ("d.jsonl:2", "text_missing"), ("d.jsonl:3", "text_missing"),
        ("d.jsonl:4", "text_not_a_string"), ("d.jsonl:5", "text_blank"), ("d.jsonl:6", "text_too_long"),
        ("d.jsonl:7", "label_missing"), ("d.jsonl:8", "label_missing"), ("d.jsonl:9", "label_blank"),
        ("d.jsonl:10", "time_unreadable"),
    ]  # fmt: skip
    assert len(loaded.train[5].example.text) == TEXT_CHARS_MAX, "what is kept of it is bounded"
    assert examples(loaded.train) == [loaded.train[0].example]


def test_several_labels_come_as_a_list_or_in_one_string(tmp_path):
    def labels(value, **settings):
        (tmp_path / "d.jsonl").write_text(json.dumps({"text": "x", "labels": value}))
        loaded = load(DataSettings(path=str(tmp_path / "d.jsonl"), **settings))
        return loaded.train[0].example.labels, loaded.train[0].problem

    assert labels(["b", "a"], multi_label=True) == (("b", "a"), None)
    assert labels([], multi_label=True) == ((), None)
    assert labels('["b", "a"]', multi_label=True) == (("b", "a"), None)
    assert labels("['b', 'a']", multi_label=True) == (("b", "a"), None), "as pandas writes a list"
    assert labels("[]", multi_label=True, label_separator="|") == ((), None)
    assert labels("b; a", multi_label=True, label_separator=";") == (("b", "a"), None)
    assert labels("b", multi_label=True) == (("b",), None)
    assert labels(["b", "b"], multi_label=True)[1] == "label_repeated"
    assert labels(None, multi_label=True)[1] == "label_missing"
    assert labels(3) == (("3",), None)
    assert labels(True) == (("true",), None)
    with pytest.raises(UserError, match=r"d\.jsonl:1: `labels` has a list of labels; use --multi-label"):
        labels(["a"])
    with pytest.raises(UserError, match="expected a JSON list of labels"):
        labels("[a, b", multi_label=True)
    with pytest.raises(UserError, match="--label-separator"):
        labels("a, b", multi_label=True)


def test_a_folder_says_the_parts_by_names(tmp_path):
    for name in ("train.csv", "dev.jsonl", "test-00000-of-00002.parquet", "test-00001-of-00002.parquet", "oos.csv"):
        write(tmp_path / name)
    (tmp_path / "README.md").write_text("not data")
    loaded = load(DataSettings(path=str(tmp_path)))
    assert [len(rows) for rows in loaded.rows().values()] == [4, 4, 8]
    assert loaded.ignored == ("oos.csv",)
    assert [each["part"] for each in loaded.files] == ["train", "validation", "test", "test"]
    assert loaded.files[0] == {
        "part": "train",
        "name": "train.csv",
        "sha256": sha256(tmp_path / "train.csv"),
        "rows": 4,
    }
    outside = load(DataSettings(path=str(tmp_path), out_of_scope=str(tmp_path / "oos.csv")))
    assert (len(outside.out_of_scope), outside.ignored) == (4, ())
    assert {row.problem for row in outside.out_of_scope} == {None}


def test_folders_that_do_not_say_the_parts_are_refused(tmp_path):
    with pytest.raises(UserError, match="is neither a file nor a folder"):
        load(DataSettings(path=str(tmp_path / "none")))
    with pytest.raises(UserError, match="has no .csv"):
        load(DataSettings(path=str(tmp_path)))
    write(tmp_path / "one.csv")
    assert len(load(DataSettings(path=str(tmp_path))).train) == 4, "one file is all there is"
    write(tmp_path / "two.csv")
    with pytest.raises(UserError, match="expected a train file in .*, found one.csv, two.csv"):
        load(DataSettings(path=str(tmp_path)))
    (tmp_path / "one.csv").rename(tmp_path / "train.csv")
    write(tmp_path / "val.csv")
    write(tmp_path / "dev.csv")
    with pytest.raises(UserError, match="has dev.csv and val.csv, both validation"):
        load(DataSettings(path=str(tmp_path)))
    with pytest.raises(UserError, match="use --data"):
        load(DataSettings())
    with pytest.raises(UserError, match="data.test: none.csv is not a file"):
        load(DataSettings(path=str(tmp_path / "train.csv"), test="none.csv"))


def test_rows_with_the_out_of_scope_label_go_to_their_own_part(tmp_path):
    (tmp_path / "d.jsonl").write_bytes(lines([("x", "a"), ("y", "oos"), ("z", "b")]))
    loaded = load(DataSettings(path=str(tmp_path / "d.jsonl"), out_of_scope_label="oos"))
    assert [len(loaded.train), len(loaded.out_of_scope)] == [2, 1]
    with pytest.raises(UserError, match="no row has the label 'none'"):
        load(DataSettings(path=str(tmp_path / "d.jsonl"), out_of_scope_label="none"))


def test_columns_that_are_not_there_are_named(tmp_path):
    (tmp_path / "d.jsonl").write_bytes(lines())
    for key in ("text", "label", "group", "time"):
        with pytest.raises(UserError, match=f"data.{key} is 'bla', found the columns 'id', 'text', 'label'"):
            load(DataSettings(path=str(tmp_path / "d.jsonl"), **{key: "bla"}))
    with pytest.raises(UserError, match="data.slices is 'bla'"):
        load(DataSettings(path=str(tmp_path / "d.jsonl"), slices=("id", "bla")))
    assert dict(load(DataSettings(path=str(tmp_path / "d.jsonl"), slices=("id",))).train[0].example.slices) == {
        "id": "1"
    }


@pytest.mark.parametrize(
    "value",
    ["2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "2026-01-02T04:04:05+01:00", 1_767_323_045, 1_767_323_045_000,
     "1767323045", 1_767_323_045.0, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)],
)  # fmt: skip
def test_times_in_many_forms(value):
    assert time_of(value) == 1_767_323_045_000


@pytest.mark.parametrize("value", [None, "", "soon", True, float("nan"), float("inf"), 1e300, "2026-13-01", []])
def test_times_that_are_none(value):
    assert time_of(value) is None
