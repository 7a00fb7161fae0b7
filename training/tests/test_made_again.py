"""The card of a package is enough to make it again, bit for bit, also when its settings were searched."""

import json
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'labelstream-train[tune]'")

from labelstream_train import cli, settings
from labelstream_train.package import manifest
from labelstream_train.recipe import recipe

from .test_commands import QUICK, TOPICS, write_texts


def test_a_searched_package_is_made_again_from_its_card_alone(tmp_path: Path, monkeypatch) -> None:
    """The search is not repeated: what it found stands in the card."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    write_texts(first / "data.csv", {topic: topic for topic in TOPICS}, 60)
    monkeypatch.chdir(first)
    space = "tune.space={learning_rate={low=0.02,high=0.05},dropout={choices=[0.05,0.15]}}"
    assert cli.main(["run", "--data", str(first / "data.csv"), "--text", "message", "--label", "topic", "--out", "run",
                     "--trials", "2", *QUICK, "--set", "fast.steps_min=0", "--set", space,
                     "--set", "tune.startup_trials=1", "--seed", "3"]) == 0  # fmt: skip
    card = (first / "run" / "package" / "README.md").read_text(encoding="utf-8")
    shutil.copy(first / "data.csv", second / "data.csv")
    monkeypatch.chdir(second)
    (toml,) = re.findall(r"```toml\n(.*?)```", card, re.DOTALL)
    Path("settings.toml").write_text(toml, encoding="utf-8")
    (command,) = re.findall(r"```\n(labelstream-train run .*)\n```", card)
    assert cli.main(command.replace("OUT", "run").split()[1:]) == 0
    assert not (second / "run" / "tune").exists()
    digests = [manifest.package_digest(folder / "run" / "package") for folder in (first, second)]
    assert digests[0] == digests[1]
    best = settings.read(first / "run" / "tune" / "best.toml")["fast"]
    made = settings.read(Path("settings.toml"))["fast"]
    assert {key: made.get(key, settings.Settings().dump()["fast"][key]) for key in best} == best
    assert json.loads((second / "run" / "gate" / "verdict.json").read_text())["package_digest"] == digests[0]


def test_the_recipe_holds_what_changes_a_package_and_nothing_of_a_machine() -> None:
    given = settings.check({
        "run": {"tier": "fast", "seed": 4, "tracking": "http://127.0.0.1:5000", "experiment": "mine"},
        "data": {"path": "/home/ada/data/", "label_separator": "/", "multi_label": True, "label_names": {"a/b": "c"}},
        "tune": {"trials": 8}, "fast": {"learning_rate": 0.01688, "base": "org/model"}, "encoder": {"epochs": 3},
        "register": {"registry": "http://127.0.0.1:5000"}, "gate": {"champion": "x"}, "evaluate": {"seed": 2},
    })  # fmt: skip
    assert recipe(given) == {
        "run": {"tier": "fast", "seed": 4},
        "data": {"path": "data", "label_separator": "/", "multi_label": True, "label_names": {"a/b": "c"}},
        "fast": {"learning_rate": 0.01688, "base": "org/model"},
        "evaluate": {"seed": 2},
    }
