"""Folders as the library `datasets` 5.2 writes them (looked at, and written here without it)."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from labelstream_train.data.load import examples, load
from labelstream_train.data.settings import DataSettings
from labelstream_train.errors import UserError

LABEL = {"names": ["neg", "pos"], "_type": "ClassLabel"}
FEATURES = {"text": {"dtype": "string", "_type": "Value"}, "label": LABEL}


def table(texts: str, labels: list, features=FEATURES, is_hub=False) -> pyarrow.Table:
    found = pyarrow.table({"text": list(texts), "label": labels})
    return found.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})} if is_hub else None
    )


def save_to_disk(folder: Path, tables: list[pyarrow.Table], features=FEATURES) -> None:
    """`Dataset.save_to_disk`."""
    folder.mkdir(parents=True)
    names = [f"data-{n:05}-of-{len(tables):05}.arrow" for n in range(len(tables))]
    for name, each in zip(names, tables, strict=True):
        with pyarrow.ipc.new_stream(str(folder / name), each.schema) as writer:
            writer.write_table(each)
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": name} for name in names], "_split": None})
    )
    (folder / "dataset_info.json").write_text(json.dumps({"citation": "", "features": features}))


def seen(rows) -> list[tuple]:
    return [(each.text, *each.labels) for each in examples(rows)]


def test_a_saved_dict_of_parts(tmp_path):
    for name, texts in (("train", "ab"), ("validation", "c"), ("test", "d")):
        save_to_disk(tmp_path / name, [table(texts, [1] * len(texts))])
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "validation", "test"]}')
    loaded = load(DataSettings(path=str(tmp_path)))
    assert {part: seen(rows) for part, rows in loaded.rows().items()} == {
        "train": [("a", "pos"), ("b", "pos")], "validation": [("c", "pos")], "test": [("d", "pos")],
    }  # fmt: skip
    assert loaded.train[1].place == "train/data-00000-of-00001.arrow:2"


def test_a_saved_set_in_several_files(tmp_path):
    save_to_disk(tmp_path / "d", [table("ab", [0, 1]), table("c", [-1])])
    loaded = load(DataSettings(path=str(tmp_path / "d")))
    assert seen(loaded.train) == [("a", "neg"), ("b", "pos")]
    assert [row.problem for row in loaded.train] == [None, None, "label_missing"], "-1 is the library's `no label`"


def test_the_layout_of_the_hub(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("---\n---")
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        pyarrow.parquet.write_table(table("ab", [0, 1], is_hub=True), tmp_path / "data" / f"{name}.parquet")
    loaded = load(DataSettings(path=str(tmp_path)))
    assert seen(loaded.train) == [("a", "neg"), ("b", "pos")] * 2
    assert seen(loaded.test) == [("a", "neg"), ("b", "pos")]


@pytest.mark.parametrize(
    "feature", [{"feature": LABEL, "_type": "List"}, {"feature": LABEL, "_type": "Sequence"}, [LABEL]]
)
def test_lists_of_named_labels(tmp_path, feature):
    save_to_disk(tmp_path / "d", [table("abc", [[0, 1], [], [1]], FEATURES)], FEATURES | {"label": feature})
    loaded = load(DataSettings(path=str(tmp_path / "d"), multi_label=True))
    assert seen(loaded.train) == [("a", "neg", "pos"), ("b",), ("c", "pos")]


def test_what_cannot_be_right_is_refused(tmp_path):
    save_to_disk(tmp_path / "d", [table("a", [7])])
    with pytest.raises(UserError, match=r"arrow:1: label number 7 has no name; there are 2"):
        load(DataSettings(path=str(tmp_path / "d")))
    (tmp_path / "d" / "state.json").write_text('{"_data_files": []}')
    with pytest.raises(UserError, match="names no files"):
        load(DataSettings(path=str(tmp_path / "d")))
    (tmp_path / "d" / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    with pytest.raises(UserError, match="x.arrow"):
        load(DataSettings(path=str(tmp_path / "d")))
    (tmp_path / "d" / "state.json").write_text('{"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}')
    with pytest.raises(UserError, match="indices mapping"):
        load(DataSettings(path=str(tmp_path / "d")))
