"""The search with the tiers themselves, small: the command line tunes, trains and exports what was found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'labelstream-train[tune]'")

from labelstream_train import settings
from labelstream_train.cli import main
from labelstream_train.package.scorer import Scorer

from . import tiny_base


def write_data(path: Path) -> None:
    """Texts of the tiny vocabulary, as a user brings them; all different, as `validate` drops what is not."""
    parts = tiny_base.parts(train=60, held_out=20)
    texts = {each.text: each.labels[0] for each in (*parts.train, *parts.held_out)}
    rows = [{"text": text, "label": label} for text, label in texts.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run_stages(out: Path, data: Path, space: dict, *flags: str) -> None:
    given = out.parent / "given.toml"
    given.write_text(settings.to_toml({"tune": {"trials": 3, "space": space}}))
    common = [
        "--out",
        str(out),
        "--data",
        str(data),
        "--settings",
        str(given),
        *flags,
        "--set",
        "export.drift_reference=false",
    ]  # there are too few texts for one
    for stage in ("validate", "tune", "train", "export"):
        assert main([stage, *common]) == 0, stage
    best = settings.read(out / "tune" / "best.toml")
    assert set(next(iter(best.values()))) == set(space)
    assert len(json.loads((out / "tune" / "report.json").read_text())["trials"]) == 3
    assert Scorer(out / "package").labels == sorted(tiny_base.TOPICS)


def test_the_fast_tier(tmp_path: Path) -> None:
    write_data(tmp_path / "data.jsonl")
    space = {"learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}, "dimensions": {"choices": [8, 16]}}
    run_stages(
        tmp_path / "out",
        tmp_path / "data.jsonl",
        space,
        "--tier",
        "fast",
        "--set",
        "fast.epochs=3",
        "--set",
        "fast.base=none",
        "--set",
        "fast.words_max=100",
    )


@pytest.mark.torch
def test_the_encoder(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    base = tiny_base.write_base(tmp_path / "base")
    write_data(tmp_path / "data.jsonl")
    space = {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "batch_items": {"choices": [8, 16]}}
    run_stages(
        tmp_path / "out", tmp_path / "data.jsonl", space, "--set", "encoder.epochs=2", "--set", f"encoder.base={base}"
    )
    tuned = json.loads((tmp_path / "out" / "train" / "run.json").read_text())["encoder"]
    best = settings.read(tmp_path / "out" / "tune" / "best.toml")["encoder"]
    assert {key: tuned[key] for key in best} == best


def test_searching_for_the_fast_tier_needs_no_torch() -> None:
    script = """
import sys
sys.modules["torch"] = None
import labelstream_train.tune.stage, labelstream_train.tune.report, labelstream_train.fast.stage
import labelstream_train.learning.teacher, labelstream_train.learning.quality
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
