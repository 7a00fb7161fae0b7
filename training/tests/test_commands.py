"""From a file of texts to a package that is served, by the real stages of the fast tier: no torch."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from labelstream_train import cli

TOPICS = {
    "card": ("lost", "stolen", "blocked", "plastic", "card"), "money": ("sent", "transfer", "money", "account", "euro"),
    "pin": ("pin", "wrong", "locked", "code", "digits"),
}  # fmt: skip
FILLER = ("my", "is", "the", "now", "please", "help", "again", "today", "why", "it", "still", "they")
QUICK = ("--tier", "fast", "--epochs", "8", "--threads", "1", "--set", "fast.base=none", "--set", "fast.words_max=200",
         "--set", "evaluate.bootstrap_repeats=200", "--set", "evaluate.robustness_texts_max=20",
         "--set", "evaluate.speed_repeats=0", "--set", "export.drift_reference=false")  # fmt: skip


def write_texts(path: Path, labels: dict[str, str], count: int = 120) -> None:
    """A CSV file with the columns `message` and `topic`: texts of a topic have three of its words."""
    dice = np.random.default_rng(1)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("message", "topic"))
        for topic, words in TOPICS.items():
            for _ in range(count):
                said = [*dice.choice(words, 3, replace=False), *dice.choice(FILLER, dice.integers(2, 8))]
                writer.writerow((" ".join(dice.permutation(said)), labels[topic]))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with data.csv and a finished run, made as a user makes it, and without torch."""
    folder = tmp_path_factory.mktemp("trained")
    write_texts(folder / "data.csv", {topic: topic for topic in TOPICS})
    done = call(folder, "run", "--data", "data.csv", "--text", "message", "--label", "topic", "--out", "run", *QUICK)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    (folder / "stderr").write_text(done.stderr)
    return folder


WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("torch is not there")
sys.meta_path.insert(0, Absent())
from labelstream_train.cli import main
sys.exit(main(sys.argv[1:]))
"""


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`labelstream-train ARGUMENTS` in `folder`, where torch cannot be imported."""
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def test_one_command_makes_a_package(trained):
    package = trained / "run" / "package"
    manifest = json.loads((package / "labelstream.json").read_text())
    assert set(manifest["files"]) == {"model.onnx", "tokenizer.json", "config.json"}
    verdict = json.loads((trained / "run" / "gate" / "verdict.json").read_text())
    assert verdict["passed"] is True
    told = (trained / "stdout").read_text().splitlines()
    assert [line.split()[0] for line in told if line.endswith(" s")] == [
        "validate",
        "train",
        "export",
        "evaluate",
        "gate",
    ]
    assert told[-1] == "serve it  labelstream classify --model run/package"
    for stage in ("validate", "evaluate"):
        assert (trained / "run" / stage / "report.html").is_file()


def test_the_package_says_what_it_learnt(trained):
    from labelstream_train.package.scorer import Scorer

    scorer = Scorer(trained / "run" / "package")
    rows = scorer.probabilities(["they sent money to the account", "the pin code is locked", "stolen plastic card"])
    assert [scorer.labels[place] for place in rows.argmax(axis=1)] == ["money", "pin", "card"]


def test_a_second_run_finds_everything_done(trained, capsys, monkeypatch):
    monkeypatch.chdir(trained)
    assert cli.main(["run", "--out", "run"]) == 0
    assert capsys.readouterr().err.count("skipped") == 5


def test_a_few_rows_that_are_all_learnt_make_a_package_that_passes(tmp_path, capsys):
    """A newcomer's first file: 210 rows, so no label has the 20 test texts that judging it alone takes."""
    write_texts(tmp_path / "data.csv", {topic: topic for topic in TOPICS}, 70)
    code = cli.main(["run", "--data", str(tmp_path / "data.csv"), "--text", "message", "--label", "topic", "--out",
                     str(tmp_path / "run"), *QUICK])  # fmt: skip
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "class_recall        skipped  skipped: none of the 3 labels has 20 test texts" in told.err


def test_labels_at_random_do_not_pass(tmp_path, capsys):
    """The data says nothing about its labels, so no model of it may be registered."""
    dice = np.random.default_rng(2)
    lines = [
        "message,topic",
        *(f"{' '.join(dice.choice(FILLER, 6))} {n},{dice.choice(list('ab'))}" for n in range(300)),
    ]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    code = cli.main(["run", "--data", str(tmp_path / "data.csv"), "--text", "message", "--label", "topic", "--out",
                     str(tmp_path / "run"), "--registry", "http://127.0.0.1:9", *QUICK])  # fmt: skip
    told = capsys.readouterr()
    assert code == 4 and "refused: " in told.err
    assert not (tmp_path / "run" / "register").exists()
    assert "failed its gate" in told.out and "serve it" not in told.out


def test_data_with_errors_is_refused(tmp_path, capsys):
    write_texts(tmp_path / "data.csv", {topic: topic for topic in TOPICS}, 20)
    with (tmp_path / "data.csv").open("a") as stream:
        stream.write(",card\n")
    place = [
        "--data",
        str(tmp_path / "data.csv"),
        "--text",
        "message",
        "--label",
        "topic",
        "--out",
        str(tmp_path / "run"),
    ]
    assert cli.main(["run", *place, *QUICK]) == 4
    assert "data.csv:62" in capsys.readouterr().err
    assert (tmp_path / "run" / "validate" / "report.html").is_file()
    assert not (tmp_path / "run" / "train").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--out", "OUT"], "use --data FILE_OR_DIR"),
        (["run", "--out", "OUT", "--data", "none.csv"], "none.csv is neither a file nor a folder"),
        (
            ["run", "--out", "OUT", "--data", "DATA", "--text", "bla"],
            "data.text is 'bla', found the columns 'message', 'topic'",
        ),
        (["run", "--out", "OUT", "--data", "DATA", "--tier", "tiny"], "run.tier: input should be 'encoder' or 'fast'"),
        (
            ["run", "--out", "OUT", "--data", "DATA", "--set", "fast.epoch=1"],
            "there is no fast.epoch; did you mean fast.epochs?",
        ),
        (["run", "--out", "OUT", "--settings", "none.toml"], "read none.toml"),
        (["train", "--out", "OUT", "--tier", "fast"], "run `validate` first"),
        (["export", "--out", "OUT", "--tier", "fast"], "run `"),
        (["evaluate", "--out", "OUT"], "run `"),
        (["gate", "--out", "OUT"], "run `"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, arguments, sentence):
    write_texts(tmp_path / "data.csv", {topic: topic for topic in TOPICS}, 3)
    places = {"OUT": str(tmp_path / "run"), "DATA": str(tmp_path / "data.csv")}
    assert cli.main([places.get(each, each) for each in arguments]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: failed to ") and sentence in last


def test_help_names_every_stage(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert all(f"    {each.name} " in told for each in cli.STAGES)
