"""Nothing leaks from one part into another, whatever the split is by; the same seed gives the same parts."""

import random
from collections import Counter

import numpy as np
import pytest

from labelstream_train.data.examples import Example
from labelstream_train.data.load import Loaded
from labelstream_train.data.parts import Parts
from labelstream_train.data.rows import Row
from labelstream_train.data.settings import DataSettings, SplitSettings
from labelstream_train.data.split import normal, split
from labelstream_train.errors import UserError


def rows(examples) -> tuple[Row, ...]:
    return tuple(Row(f"f:{number}", example) for number, example in enumerate(examples))


def loaded(train, validation=None, test=None, out_of_scope=()) -> Loaded:
    given = {name: None if part is None else rows(part) for name, part in (("validation", validation), ("test", test))}
    return Loaded(rows(train), **given, out_of_scope=rows(out_of_scope),
                  files=({"part": "train", "name": "f", "sha256": "0", "rows": len(train)},), ignored=())  # fmt: skip


def cut(of: Loaded, by="auto", multi_label=False, **settings) -> Parts:
    return split(of, DataSettings(path="f.csv", multi_label=multi_label), SplitSettings(by=by, **settings))


def texts(n=40, **more) -> list[Example]:
    return [Example(f"text {i} of {label}", (label,), **more) for label in "abc" for i in range(n)]


def apart(parts: Parts) -> bool:
    found = [{normal(each.text) for each in part} for part in (parts.train, parts.held_out, parts.test)]
    return not (found[0] & found[1] or found[0] & found[2] or found[1] & found[2])


def test_without_a_test_file_parts_are_stratified_and_apart():
    again = [Example("Text 3  of A", ("a",)), Example("text 3 of a", ("a",))]
    of = loaded([*texts(), *again])
    parts = cut(of, test_share=0.25, held_out_share=0.1)
    assert apart(parts)
    assert Counter(each.labels for each in parts.test) in ({("a",): n, ("b",): 10, ("c",): 10} for n in (10, 12))
    assert Counter(each.labels for each in parts.held_out) in ({("a",): n, ("b",): 3, ("c",): 3} for n in (3, 5))
    assert len(parts.train) + len(parts.held_out) + len(parts.test) == 122
    assert parts == cut(of, test_share=0.25, held_out_share=0.1)
    assert parts.test != cut(of, test_share=0.25, held_out_share=0.1, seed=1).test
    assert parts.labels == ("a", "b", "c")


def test_texts_of_the_test_file_are_dropped_from_train_and_counted():
    test = [Example("TEXT 7 of b", ("b",)), Example("new", ("c",)), Example("strange", ("z",))]
    validation = [Example("text 8 OF b", ("b",)), Example("text 7 of b", ("b",))]
    parts = cut(loaded(texts(), validation, test))
    assert apart(parts)
    assert parts.facts["dropped"] == {
        "held_out_in_test": 1, "test_label_not_in_train": 1, "train_in_held_out": 1, "train_in_test": 1,
    }  # fmt: skip
    assert [each.text for each in parts.held_out] == ["text 8 OF b"]
    assert len(parts.train) == 118
    more = cut(loaded(texts(), validation, test), validation="train")
    assert len(more.train) + len(more.held_out) == 122 - 2


def test_texts_out_of_scope_that_training_saw_are_dropped():
    parts = cut(loaded(texts(), out_of_scope=[Example("text 1 of a", ()), Example("other", ())]))
    assert "other" in {each.text for each in parts.out_of_scope}
    assert not {each.text for each in parts.out_of_scope} & {each.text for each in parts.train}


def test_rows_with_problems_are_in_no_part():
    given = loaded(texts())
    bad = Row("f:1", Example("", ()), "text_blank")
    parts = split(Loaded((*given.train, bad), None, None, (), given.files, ()), DataSettings(path="f"), SplitSettings())
    assert parts.facts["dropped"]["rows_with_problems"] == 1
    assert all(each.text for part in (parts.train, parts.held_out, parts.test) for each in part)


@pytest.mark.parametrize("seed", range(20))
def test_a_group_is_on_one_side(seed):
    dice = random.Random(seed)
    given = [Example(f"{i} {label}", (label,), group=dice.choice(["g", None, *"123456789"])) for label in "ab"
             for i in range(100)]  # fmt: skip
    given += [Example("0 A", ("a",), group="1"), Example("0  a", ("a",), group="2")]  # one text, two groups
    parts = cut(loaded(given), "group", seed=seed)
    assert apart(parts)
    groups = [{each.group for each in part} - {None} for part in (parts.train, parts.held_out, parts.test)]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert 20 <= len(parts.test) <= 70


def test_groups_of_a_test_file_are_dropped_from_train():
    given = [Example(f"{i} {label}", (label,), group=str(i % 9)) for label in "ab" for i in range(45)]
    parts = cut(loaded(given, test=[Example("new", ("a",), group="3")]), "group")
    assert parts.facts["dropped"]["train_in_test_by_group"] == 10
    with pytest.raises(UserError, match="at least two groups, found 1"):
        cut(loaded(texts(group="one")), "group")


def test_by_time_the_newest_are_test():
    dice = random.Random(1)
    given = [Example(f"{i} {label}", (label,), time_ms=dice.randrange(50)) for label in "ab" for i in range(100)]
    parts = cut(loaded(given), "time", test_share=0.2, held_out_share=0.1)
    newest = [[each.time_ms for each in part] for part in (parts.train, parts.held_out, parts.test)]
    assert max(newest[0]) < min(newest[1]) <= max(newest[1]) < min(newest[2])
    assert 30 <= len(parts.test) <= 50
    with pytest.raises(UserError, match="1 texts have no time"):
        cut(loaded([*given, Example("no time", ("a",))]), "time")
    with pytest.raises(UserError, match="no texts are older than the test texts"):
        cut(loaded(texts(time_ms=5)), "time")


def test_a_group_or_time_column_decides_how_to_split():
    by = SplitSettings().chosen
    assert [by(DataSettings(**each)) for each in ({}, {"group": "g"}, {"time": "t"})] == ["random", "group", "time"]
    with pytest.raises(UserError, match="choose one with --split"):
        by(DataSettings(group="g", time="t"))
    assert SplitSettings(by="random").chosen(DataSettings(group="g", time="t")) == "random"


def test_a_label_with_one_text_keeps_it():
    parts = cut(loaded([*texts(), Example("alone", ("z",))]))
    assert "alone" in {each.text for each in parts.train}
    assert "z" in parts.labels


def test_data_that_cannot_be_learnt_from_is_refused():
    with pytest.raises(UserError, match="train on 1 label"):
        cut(loaded([Example(f"{i}", ("a",)) for i in range(10)]))
    with pytest.raises(UserError, match="no texts are left for test"):
        cut(loaded(texts(), test=[Example("x", ("unknown",))]))


def test_rare_labels_of_multi_label_data_get_their_share():
    given = [Example(f"common {i}", ("a",)) for i in range(400)]
    given += [Example(f"both {i}", ("a", "rare")) for i in range(20)] + [Example(f"none {i}", ()) for i in range(20)]
    parts = cut(loaded(given), multi_label=True, test_share=0.1, held_out_share=0.1)
    assert sum("rare" in each.labels for each in parts.test) == 2
    assert sum(not each.labels for each in parts.test) == 2
    truth = parts.truth(parts.test)
    assert (truth.dtype, truth.shape) == (np.float32, (len(parts.test), 2))
    assert truth.sum(axis=0).tolist() == [sum("a" in each.labels for each in parts.test), 2]


def test_truth_is_the_place_of_the_label():
    parts = cut(loaded(texts()))
    assert parts.truth([Example("x", ("b",)), Example("y", ("a",))]).tolist() == [1, 0]
    with pytest.raises(UserError, match="label 'q': it is not one of the 3"):
        parts.truth([Example("x", ("q",))])
    with pytest.raises(UserError, match="expected one, found 2"):
        parts.truth([Example("x", ("a", "b"))])


def test_parts_are_read_as_they_were_written(tmp_path):
    given = [
        Example("x\n💳\x00", ("a",), "g", 5, {"lang": "de"}),
        *texts(),
        Example("y", ("a",), None, None, {"src": "s"}),
    ]
    parts = cut(loaded(given, out_of_scope=[Example("o", ())]))
    parts.write(tmp_path / "data")
    assert Parts.read(tmp_path / "data") == parts
    first = (tmp_path / "data" / "train.parquet").read_bytes()
    parts.write(tmp_path / "data")
    assert first == (tmp_path / "data" / "train.parquet").read_bytes(), "the same parts are the same bytes"
    with pytest.raises(UserError, match="run `validate` first"):
        Parts.read(tmp_path / "none")
