"""A run does again what has changed and nothing else, never throws a training away, and stops in time."""

import json
import time
from pathlib import Path

import pytest

from labelstream_train import cli
from labelstream_train.errors import Refused, Stopped, UserError
from labelstream_train.run import Run
from labelstream_train.stages import STAGES, Stage


class Stages:
    """Stands in for all stages: each writes what it says it writes, from what it reads."""

    def __init__(self):
        self.calls: list[str] = []
        self.raises: dict[str, Exception] = {}

    def call(self, stage: Stage, run: Run) -> None:
        self.calls.append(stage.name)
        for path in stage.writes:
            if path == "data":
                for part in ("train", "held_out"):
                    self.write(run.data / f"{part}.parquet", Path(run.settings.data.path).read_text())
                self.write(run.data / "parts.json", str(run.settings.data))
            elif path == "tune":
                self.write(run.tune / "best.toml", "[encoder]\nepochs = 77\n")
            elif path.endswith(".json"):
                self.write(run.out / path, "{}")
            else:
                keys = (run.settings.encoder.epochs, run.settings.run.version, run.settings.evaluate.seed)
                told = keys[:1] if stage.name == "train" else keys
                self.write(run.out / path / "file", f"{stage.name} {told}")
        if stage.name == "evaluate":  # completes the card of the package, which it reads
            self.write(run.package / "README.md", "card")
        if stage.name in self.raises:
            time.sleep(0.02)
            raise self.raises[stage.name]

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def stages(monkeypatch) -> Stages:
    found = Stages()
    monkeypatch.setattr(Stage, "call", lambda stage, run: found.call(stage, run))
    return found


@pytest.fixture
def call(tmp_path, stages, capsys):
    """Runs a command in a folder with data.csv; gives exit code, stages that ran, and stderr."""
    (tmp_path / "data.csv").write_text("text,label\na,b\n")

    def run(command: str, *arguments: str) -> tuple[int, list[str], str]:
        stages.calls.clear()
        code = cli.main([command, "--out", str(tmp_path / "run"), *arguments])
        return code, list(stages.calls), capsys.readouterr().err

    return run


ALL = ["validate", "train", "export", "evaluate", "gate"]


def test_a_second_run_skips_everything(tmp_path, call):
    data = ["--data", str(tmp_path / "data.csv")]
    assert call("run", *data)[:2] == (0, ALL)
    code, ran, err = call("run", *data)
    assert (code, ran) == (0, [])
    assert err.count("skipped, up to date") == 5
    assert call("run", "--resume")[1] == [], "the run keeps its settings"
    assert call("run", "--force")[1] == ALL


@pytest.mark.parametrize(
    ("change", "ran"),
    [
        (["--champion", "other"], ["gate"]),
        (["--set", "evaluate.seed=3"], ["evaluate", "gate"]),
        (["--version", "2.0.0"], ["export", "evaluate", "gate"]),
        (["--data-licence", "CC0-1.0"], ["validate", "export", "evaluate", "gate"]),
        (["--registry", "http://127.0.0.1:1"], ["register"]),
        (["--threads", "1"], []),
    ],
)
def test_only_what_depends_on_a_change_is_done_again(tmp_path, call, change, ran):
    call("run", "--data", str(tmp_path / "data.csv"))
    assert call("run", *change)[1] == ran
    assert call("run")[1] == [name for name in ran if name == "register"]  # a registry may have changed meanwhile


def test_files_that_are_gone_or_changed_are_noticed(tmp_path, call):
    call("run", "--data", str(tmp_path / "data.csv"))
    (tmp_path / "run" / "fp32" / "file").unlink()
    assert "export" in call("run")[1]
    (tmp_path / "run" / "package" / "file").write_text("tampered with")
    assert call("run")[1] == ["evaluate", "gate"]
    (tmp_path / "run" / "train" / "done.json").write_text("{half")
    assert call("run")[1][0] == "train"


def test_a_program_that_appears_or_changes_is_an_input_too(tmp_path, call, monkeypatch):
    """Without it the package has no drift reference and the gate skips a rule; a first run may not know it yet."""

    monkeypatch.delenv("LABELSTREAM", raising=False)
    monkeypatch.setattr("labelstream_train.package.serving.CHECKOUT", tmp_path / "checkout")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    assert call("run", "--data", str(tmp_path / "data.csv"))[:2] == (0, ALL)
    assert call("run")[1] == []
    binary = tmp_path / "bin" / "labelstream"
    binary.parent.mkdir()
    for version in ("1", "2"):
        binary.write_text(f"#!/bin/sh\necho labelstream {version}\n")
        binary.chmod(0o755)
        assert call("run")[1] == ["export", "evaluate", "gate"], version
        assert call("run")[1] == []
    binary.unlink()
    assert call("run")[1] == ["export", "evaluate", "gate"]


@pytest.mark.parametrize("key", ["test", "validation", "out_of_scope"])
def test_a_part_of_the_data_that_appears_is_an_input_too(tmp_path, call, key):
    """The stand-in for `validate` does not read it, so the first run does not miss it."""
    later = tmp_path / "later.csv"
    assert call("validate", "--data", str(tmp_path / "data.csv"), "--set", f"data.{key}={later}")[1] == ["validate"]
    assert call("validate")[1] == []
    later.write_text("text,label\na,b\n")
    assert call("validate")[1] == ["validate"]


def test_a_tokenizer_that_is_installed_later_is_an_input_too(tmp_path, call):
    chosen = ["--set", f"validate.tokenizer={tmp_path / 'later'}"]
    assert call("run", "--data", str(tmp_path / "data.csv"), *chosen)[1] == ALL
    assert call("run")[1] == []
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "tokenizer.json").write_text("{}")
    assert call("run")[1] == ["validate"]


def test_a_training_is_not_thrown_away_unasked(tmp_path, call):
    call("run", "--data", str(tmp_path / "data.csv"))
    code, ran, err = call("run", "--epochs", "3")
    assert (code, ran) == (2, [])
    assert "encoder.epochs was 12, now 3" in err and "--redo-changed" in err and err.count("\n") == 1
    assert call("evaluate", "--epochs", "3")[0] == 2, "a later stage with other settings is a mistake as well"
    assert call("run")[:2] == (0, []), "a refused change is not written down"
    (tmp_path / "data.csv").write_text("text,label\nother,b\n")
    code, ran, err = call("run")
    assert (code, ran) == (2, ["validate"])
    assert "data/held_out.parquet has changed, data/train.parquet has changed" in err
    assert call("train", "--force", "--epochs", "3")[:2] == (0, ["train"])
    assert call("run")[1] == ["export", "evaluate", "gate"]


def test_what_changed_is_replaced_on_demand_and_what_did_not_is_kept(tmp_path, call, stages):
    call("run", "--data", str(tmp_path / "data.csv"))
    assert call("run", "--redo-changed")[:2] == (0, [])
    assert call("run", "--redo-changed", "--epochs", "3")[1] == ["train", "export", "evaluate", "gate"]
    stages.raises["train"] = Stopped("the time limit of --minutes is reached")
    call("train", "--redo-changed", "--epochs", "4")
    (tmp_path / "run" / "train" / "checkpoint").write_text("half")
    del stages.raises["train"]
    assert call("train", "--redo-changed")[:2] == (0, ["train"])
    assert (tmp_path / "run" / "train" / "checkpoint").read_text() == "half", "half a training is gone on with"


def test_half_a_training_goes_on(tmp_path, call, stages):
    stages.raises["train"] = Stopped("the time limit of --minutes is reached")
    code, ran, err = call("run", "--data", str(tmp_path / "data.csv"))
    assert (code, ran) == (3, ["validate", "train"])
    assert "stopped: the time limit" in err
    half = tmp_path / "run" / "train" / "file"
    half.write_text("half")
    assert call("run", "--seed", "4")[0] == 2
    assert half.read_text() == "half"
    stages.raises.clear()
    code, ran, _ = call("run")
    assert (code, ran) == (0, ["train", "export", "evaluate", "gate"])
    assert json.loads((tmp_path / "run" / "train" / "done.json").read_text())["seconds"] >= 0.02, "of both attempts"


def test_time_that_is_over_stops_before_the_next_stage(tmp_path, call):
    code, ran, err = call("run", "--data", str(tmp_path / "data.csv"), "--minutes", "0")
    assert (code, ran) == (3, [])
    assert "before `validate`" in err and "run the same command again" in err
    assert call("run")[:2] == (0, ALL)


def test_a_refused_package_is_not_registered(tmp_path, call, stages):
    stages.raises["gate"] = Refused("pass the gate: macro_f1 is 0.2, at least 0.8 is needed")
    data = ["--data", str(tmp_path / "data.csv"), "--registry", "http://127.0.0.1:1"]
    for _ in range(2):
        code, ran, err = call("run", *data)
        assert (code, ran[-1]) == (4, "gate")
        assert "refused: pass the gate: macro_f1" in err
    stages.raises.clear()
    assert call("run", *data)[:2] == (0, ["gate", "register"])


def test_tuned_settings_are_those_that_are_trained_with(tmp_path, call):
    assert call("run", "--data", str(tmp_path / "data.csv"), "--trials", "2")[:2] == (0, ["validate", "tune", *ALL[1:]])
    assert (tmp_path / "run" / "train" / "file").read_text() == "train (77,)"
    assert call("run")[1] == []
    code, _, err = call("run", "--trials", "0")
    assert code == 2 and "encoder.epochs was 77, now 12" in err


def test_stages_alone_share_the_folder(tmp_path, call):
    assert call("validate", "--data", str(tmp_path / "data.csv"))[:2] == (0, ["validate"])
    assert call("train", "--epochs", "2")[:2] == (0, ["train"])
    assert call("run")[:2] == (0, ["export", "evaluate", "gate"])
    assert call("tune")[:2] == (0, ["tune"]), "a stage that is asked for by name runs"


def test_folders_that_are_no_run_are_left_alone(tmp_path, call):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.doc").write_text("precious")
    code, ran, err = call("run", "--data", "x")
    assert (code, ran) == (2, []) and "expected an empty folder, or a run" in err
    assert [each.name for each in (tmp_path / "run").iterdir()] == ["thesis.doc"]


def test_two_commands_do_not_work_in_one_folder(tmp_path, call, stages):
    data = ["--data", str(tmp_path / "data.csv")]
    inner: list[int] = []
    real = stages.call
    stages.call = lambda stage, run: (inner.append(cli.main(["validate", "--out", str(run.out)])), real(stage, run))
    code, _, err = call("validate", *data)
    assert (code, inner) == (0, [2])
    assert "another command is working in it" in err


def test_resume_wants_a_run(call):
    code, ran, err = call("run", "--resume")
    assert (code, ran) == (2, []) and "there is no settings.toml" in err


def test_an_error_of_ours_is_not_hidden(tmp_path, call, stages):
    stages.raises["export"] = ZeroDivisionError("ours")
    with pytest.raises(ZeroDivisionError):
        call("run", "--data", str(tmp_path / "data.csv"))
    stages.raises["export"] = UserError("write x:\n two lines")
    code, ran, err = call("run")
    assert (code, ran) == (2, ["export"]) and err.endswith("error: failed to write x:  two lines\n")


def test_ctrl_c_is_resumable(tmp_path, call, stages):
    stages.raises["train"] = KeyboardInterrupt()
    assert call("run", "--data", str(tmp_path / "data.csv"))[0] == 3


def test_json_is_alone_on_stdout(tmp_path, stages, capsys):
    (tmp_path / "data.csv").write_text("x")
    place = ["--data", str(tmp_path / "data.csv"), "--out", str(tmp_path / "run")]
    assert cli.main(["run", *place, "--json", "--quiet"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert [each["stage"] for each in found["stages"]] == ALL and told.err == ""
    assert all(each["seconds"] >= 0 and each["skipped"] is None for each in found["stages"])
    cli.main(["run", *place, "--json"])
    assert [each["skipped"] for each in json.loads(capsys.readouterr().out)["stages"]] == ["done before"] * 5


def test_seconds_left_never_fall_below_zero(tmp_path):
    from labelstream_train.settings import Settings

    assert Run(Settings(), tmp_path).seconds_left() is None
    assert Run(Settings(), tmp_path, time.monotonic() - 5).seconds_left() == 0.0
    assert 4 < Run(Settings(), tmp_path, time.monotonic() + 5).seconds_left() <= 5


def test_every_stage_is_there():
    assert [each.name for each in STAGES] == ["validate", "tune", *ALL[1:], "register"]
    for each in STAGES:
        module, _, function = each.function.partition(":")
        path = Path(cli.__file__).parent / (module.replace(".", "/") + ".py")
        assert f"\ndef {function}(run: " in path.read_text(), each.function
