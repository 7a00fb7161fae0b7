"""A setting that was changed and does nothing is named with what overrides it."""

import pytest

from labelstream_train import cli, idle, settings
from labelstream_train.gate import rules

from . import gated_run
from .shop_texts import rows, write


def told(*assignments: str, rules_file=rules.DEFAULT) -> list[str]:
    given = settings.check(settings.override({}, assignments))
    return list(idle.found(given, rules.read(rules_file)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["run.tier=fast", "encoder.epochs=3"], "encoder.epochs has no effect: the tier is fast"),
        (["fast.dropout=0.2", "fast.epochs=3"], "fast.epochs, fast.dropout have no effect: the tier is encoder"),
        (["run.tier=fast", "fast.teacher_share=0.5"], "fast.teacher_share has no effect: fast.teacher names"),
        (["run.tier=fast", "fast.words_max=500"], "fast.words_max has no effect: fast.base gives the vocabulary"),
        (["run.tier=fast", "fast.row_words_max=1", "fast.rows_max=7"], "fast.rows_max has no effect: fast.row_words"),
        (["encoder.distil_weight=0.1"], "encoder.distil_weight has no effect: encoder.teachers names"),
        (["encoder.patience_figure=nll"], "encoder.patience_figure has no effect: encoder.patience = 0"),
        (["tune.figure=nll"], "tune.figure has no effect: tune.trials = 0, so there is no search"),
        (["register.alias=new"], "register.alias has no effect: no registry is set"),
        (["run.experiment=x"], "run.experiment has no effect: run.tracking names no server"),
        (["data.label_separator=;"], "data.label_separator has no effect: a text has one label"),
        (["export.threshold_weight=3"], "export.threshold_weight has no effect: a text has one label"),
        (["data.multi_label=true", "export.abstain_coverage=0.9"], "export.abstain_coverage has no effect"),
        (["evaluate.bias_harmful_truth=rude"], "evaluate.bias_harmful_truth has no effect"),
        (["evaluate.bias_identity=who"], "evaluate.bias_identity has no effect: evaluate.bias_data names no file"),
        (["evaluate.speed_repeats=0", "evaluate.speed_minutes_max=1"], "evaluate.speed_minutes_max has no effect"),
        (["validate.near=false", "validate.near_similarity=0.9"], "validate.near_similarity has no effect"),
        (["split.validation=train"], "split.validation has no effect: the data has no validation file"),
        (["tune.trials=3", "encoder.learning_rate=0.01"], "encoder.learning_rate may be replaced: the search"),
    ],
)  # fmt: skip
def test_what_does_nothing_is_named_with_what_overrides_it(given, said):
    assert any(each.startswith(said) for each in told(*given)), told(*given)


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["run.tier=fast", "fast.epochs=3", "fast.dropout=0.1"],
        ["run.tier=fast", "fast.teacher=x", "fast.teacher_share=0.5"],
        ["run.tier=fast", "fast.base=none", "fast.words_max=500"],
        ["tune.trials=3", "tune.figure=nll", "encoder.epochs=3"],
        ["register.registry=http://127.0.0.1:1", "register.alias=new"],
        ["data.multi_label=true", "data.label_separator=;"],
        ["split.by=random", "split.seed=4", "split.test_share=0.3", "data.encoding=cp1252", "gate.champion=x"],
    ],
)
def test_what_has_an_effect_is_not_named(given):
    assert told(*given) == []


def test_files_decide_what_of_a_split_has_an_effect(tmp_path):
    for name in ("train.csv", "test.csv", "valid.csv"):
        write(tmp_path / name)
    place = f"data.path={tmp_path}"
    assert told(place, "split.test_share=0.3") == ["split.test_share has no effect: the data has a test file"]
    assert told(place, "split.held_out_share=0.3")[0].startswith("split.held_out_share has no effect: the validation")
    assert told(place, "split.seed=3")[0].startswith("split.seed has no effect: the data has files")
    assert told(place, "split.seed=3", "data.group=author") == [], "groups are kept apart all the same"
    assert told(place, "split.validation=train", "split.held_out_share=0.3") == []
    assert told(f"data.path={tmp_path / 'none.parquet'}", "data.delimiter=;") == [], "what is not there says nothing"
    (tmp_path / "d.parquet").write_bytes(b"")
    assert told(f"data.path={tmp_path / 'd.parquet'}", "data.delimiter=;", "data.encoding=cp1252") == [
        "data.delimiter has no effect: no file is CSV or TSV",
        "data.encoding has no effect: no file is CSV, TSV or JSON",
    ]


def test_a_champion_that_the_rules_do_not_ask_for_is_named(tmp_path):
    path = gated_run.rules(tmp_path, "[accuracy]\nmin = 0.5\n")
    assert told("gate.champion=x", rules_file=path) == [
        "gate.champion has no effect: the rules do not include `champion`"
    ]


def test_every_key_that_may_do_nothing_is_a_setting():
    known = settings.Settings().dump()
    for each in idle.IDLE:
        for key in each.keys:
            section, _, name = key.partition(".")
            assert name in known[section], key


@pytest.mark.parametrize(("more", "is_said"), [([], True), (["--set", "fast.steps_min=0"], False)])
def test_epochs_that_the_steps_override_are_named(tmp_path, capsys, more, is_said):
    """`--epochs 20` gave the same package as 15 and 5, without a word."""
    table = "".join(f'"{text}",{label}\n' for text, label in rows(20))
    (tmp_path / "data.csv").write_text("text,label\n" + table)
    place = ["--out", str(tmp_path / "out")]
    quick = ["--tier", "fast", "--epochs", "2", "--set", "fast.base=none", "--threads", "1"]
    assert cli.main(["validate", *place, *quick, *more, "--data", str(tmp_path / "data.csv")]) == 0
    quick = ["--set", "fast.steps_min=20"] if is_said else []
    assert cli.main(["train", *place, *quick]) == 0
    err = capsys.readouterr().err
    assert ("fast.epochs = 2 has no effect: fast.steps_min = 20 takes 10 epochs of 2 steps" in err) is is_said
