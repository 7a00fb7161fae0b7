"""The file of rules: each fault is named with its file and line, and none is passed over."""

from pathlib import Path

import pytest

from labelstream_train.errors import UserError
from labelstream_train.gate import judge, rules

from .gated_run import rules as rules_file

FAULTS = (
    ("[acuracy]\nmin = 0.9\n", ":1: [acuracy]: unknown rule; expected one of accuracy, macro_f1"),
    (
        "# first\n\n[accuracy]\nmin = 0.9\nmax = 1.0\n",
        ":5: [accuracy] max: unknown key; expected one of optional, min",
    ),
    ("[accuracy]\nmin = '0.9'\n", ":2: [accuracy] min: input should be a valid number, found '0.9'"),
    ("[accuracy]\nmin = true\n", ":2: [accuracy] min: input should be a valid number, found True"),
    ("[accuracy]\nmin = 90\n", ":2: [accuracy] min: input should be less than or equal to 1, found 90"),
    ("[accuracy]\nmin = nan\n", ":2: [accuracy] min: input should be a finite number, found nan"),
    ("[macro_f1]\nmin = 0.9\n[accuracy]\nuse = 'low'\n", ":3: [accuracy] min: it is missing, but the rule requires it"),
    (
        "[accuracy]\nmin = 0.9\nuse = 'lowest'\n",
        ":3: [accuracy] use: input should be 'value', 'low' or 'high', found 'lowest'",
    ),
    (
        "[accuracy]\nmin = 0.9\noptional = 'yes'\n",
        ":3: [accuracy] optional: input should be a valid boolean, found 'yes'",
    ),
    ("accuracy = 0.9\n", ":1: [accuracy]: expected a table, found 0.9"),
    ("[[accuracy]]\nmin = 0.9\n", ":1: [accuracy]: expected a table"),
    ("accuracy = { min = 0.9, most = 1 }\n", ":1: [accuracy] most: unknown key"),
    ("[accuracy]\nmin = 0.9\n[accuracy]\nmin = 0.1\n", "Cannot declare"),
    ("[accuracy\n", "at line 1"),
    ("# nothing\n", "expected at least one rule of accuracy"),
    (
        "[robustness_drop]\nmax = 0.1\nleave_out = ['leet']\n",
        ":3: [robustness_drop] leave_out: there is no perturbation 'leet'",
    ),
    ("[champion]\nmargin = 0.0\n", ":2: [champion] margin: input should be greater than 0"),
)


@pytest.mark.parametrize(("text", "expected"), FAULTS)
def test_a_fault_is_an_error_that_names_file_and_line(tmp_path: Path, text: str, expected: str) -> None:
    path = rules_file(tmp_path, text)
    with pytest.raises(UserError) as error:
        rules.read(path)
    assert str(path) in str(error.value)
    assert expected in str(error.value)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rules.toml:1: \[nonsense\].*|rules.toml:4: \[accuracy\]") as error:
        rules.read(rules_file(tmp_path, "[nonsense]\n\n[accuracy]\nmin = 'x'\n"))
    assert "[nonsense]" in str(error.value) and "[accuracy] min" in str(error.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml"):
        rules.read(tmp_path / "none.toml")


def test_the_default_file_holds_every_rule_but_micro_f1_and_each_rule_has_a_judge() -> None:
    assert set(rules.read(rules.DEFAULT).asked()) == set(rules.Rules.model_fields) - {"micro_f1"}
    assert set(judge._JUDGES) == set(rules.Rules.model_fields)
