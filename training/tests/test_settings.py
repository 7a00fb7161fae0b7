"""Settings: layers, checks that name the key, and a documented file that is itself valid."""

import argparse
import tomllib
from pathlib import Path

import pytest

from labelstream_train import settings
from labelstream_train.errors import UserError
from labelstream_train.flags import KEYS, add_set


def test_set_takes_toml_values_and_plain_words():
    values = settings.override({}, ["encoder.epochs=3", "data.slices=['a', 'b']", "data.text=body", "data.name=3.5x"])
    found = settings.check(values)
    assert (found.encoder.epochs, found.data.slices, found.data.text) == (3, ("a", "b"), "body")
    assert found.data.name == "3.5x"


@pytest.mark.parametrize(
    "given", ["['a', 'b c']", '["a","b c"]', "[a,b c]", "[ a , b c ]", "a,b c", "[a, b c,]", "'a','b c'", "[a, 'b c']"]
)
def test_a_list_needs_no_quotes(given):
    """make and the shell take them away."""
    found = settings.check(settings.override({}, [f"data.slices={given}"]))
    assert found.data.slices == ("a", "b c")


@pytest.mark.parametrize(
    ("given", "section", "key", "expected"),
    [
        ("data.slices=source", "data", "slices", ("source",)),
        ("data.slices=[]", "data", "slices", ()),
        ("data.slices=", "data", "slices", ()),
        ("data.slices=['a,b', c]", "data", "slices", ("a,b", "c")),
        ("validate.severity={label.spelling = off, label.numbers=error}", "validate", "severity",
         {"label.spelling": "off", "label.numbers": "error"}),
        ("validate.severity={'label.spelling'='off'}", "validate", "severity", {"label.spelling": "off"}),
        ("data.label_names={neg=negative}", "data", "label_names", {"neg": "negative"}),
        ("data.name=[draft]", "data", "name", "[draft]"),
        ("run.version=1.0", "run", "version", "1.0"),
        ("run.version='1.0'", "run", "version", "1.0"),
        ("evaluate.card=2026", "evaluate", "card", Path("2026")),
        ("gate.champion=true", "gate", "champion", "true"),
        ("fast.class_weights=balanced", "fast", "class_weights", "balanced"),
        ("data.name=[draft", "data", "name", "[draft"),
        ("data.name=a,b", "data", "name", "a,b"),
        ("data.name=it's [x", "data", "name", "it's [x"),
    ],
)  # fmt: skip
def test_lists_and_tables_without_quotes_are_read_where_they_are_expected(given, section, key, expected):
    assert getattr(getattr(settings.check(settings.override({}, [given])), section), key) == expected


def test_a_value_that_a_shell_cut_at_spaces_is_one_value():
    """As `make train ARGS="--set data.slices=[a, b c] run.seed=3"` gives it."""
    parser = argparse.ArgumentParser()
    add_set(parser)
    parsed = parser.parse_args(["--set", "data.slices=[a,", "b", "c]", "run.seed=3", "--set", "data.name=my", "data"])
    found = settings.check(settings.override({}, parsed.set))
    assert (found.data.slices, found.run.seed, found.data.name) == (("a", "b c"), 3, "my data")


def test_a_space_of_choices_can_be_set_without_quotes():
    found = settings.check(settings.override({}, ["tune.space={class_weights = {choices = [none, balanced]}}"]))
    assert found.tune.space["class_weights"].choices == ("none", "balanced")


@pytest.mark.parametrize("wrong", ["epochs=3", "encoder=3", "encoder.epochs", ".a=1", "encoder.=1"])
def test_set_wants_a_section_a_key_and_a_value(wrong):
    with pytest.raises(UserError, match=r"--set .*: expected SECTION\.KEY=VALUE"):
        settings.override({}, [wrong])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"encoder": {"epochs": "many"}}, "encoder.epochs: .*integer.*, found 'many'"),
        ({"encoder": {"epochs": 0}}, "encoder.epochs: .*greater than or equal to 1, found 0"),
        ({"encoder": {"epoch": 3}}, r"there is no encoder.epoch; did you mean encoder.epochs\?"),
        ({"encoders": {}}, r"there is no encoders; did you mean encoder"),
        ({"run": {"tier": "tiny"}}, "run.tier: .*'encoder' or 'fast', found 'tiny'"),
        ({"split": {"test_share": 1.0}}, "split.test_share: .*less than 1, found 1.0"),
        ({"data": 3}, "data: .*, found 3"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(values, sentence):
    with pytest.raises(UserError, match=sentence):
        settings.check(values)


def test_a_later_layer_wins_key_by_key():
    merged = settings.merge({"data": {"text": "a", "label": "b"}}, {"data": {"text": "c"}, "run": {"seed": 1}})
    assert merged == {"data": {"text": "c", "label": "b"}, "run": {"seed": 1}}


def test_what_is_written_reads_back_the_same():
    given = settings.check({"data": {"path": "a b.csv", "slices": ["x"], "text": 'quo"te\\'}, "tune": {"trials": 2}})
    assert settings.check(tomllib.loads(settings.to_toml(given.dump()))) == given


def test_the_documented_file_holds_every_key_and_all_defaults():
    text = settings.document()
    assert settings.check(tomllib.loads(text)) == settings.Settings()
    for section, keys in settings.Settings().dump().items():
        for key in keys:
            assert f"\n{key} = " in text or f"\n# {key} =" in text, f"{section}.{key}"


def test_every_setting_is_described():
    for section, field in settings.Settings.model_fields.items():
        for key, known in field.annotation.model_fields.items():
            assert known.description, f"{section}.{key} has no description"


def test_every_flag_is_short_for_a_setting():
    dump = settings.Settings().dump()
    for key, _, _ in KEYS.values():
        for tier in ("encoder", "fast"):
            section, _, name = key.replace("TIER", tier).partition(".")
            assert name in dump[section], key
