"""A search over a stub tier, in this process or in one that hangs and is killed: what tests of tuning run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install 'labelstream-train[tune]'")

from labelstream_train import settings
from labelstream_train.run import Run

from . import tiny_base

SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "dropout": {"low": 0.0, "high": 0.5},
    "batch_items": {"choices": [32, 64]},
}


def make_run(out: Path, trials: int = 8, tracking: str | None = None, **values: object) -> Run:
    given = {
        "run": {"tier": "fast", "tracking": tracking, "experiment": out.parent.name},
        "tune": {"trials": trials, "space": SPACE} | values,
    }
    tiny_base.parts().write(out / "data")
    return Run(settings.check(given), out)


def trials(run: Run) -> list:
    storage = f"sqlite:///{run.tune / 'study.db'}"
    return optuna.load_study(study_name="labelstream", storage=storage).get_trials()


def state_names(run: Run) -> list[str]:
    return [trial.state.name for trial in trials(run)]


SCRIPT = """
import sys
from pathlib import Path
from labelstream_train import tiers
from labelstream_train.tune.stage import tune
from tests.stub_search import make_run
tiers.MODULES["fast"] = "tests.stub_tier"
tune(make_run(Path(sys.argv[1]), tracking=sys.argv[2] or None))
"""


def start(out: Path, steps: Path, hang: int, tracking: str | None = None) -> subprocess.Popen:
    environment = os.environ | {"STUB_HANG": str(hang), "STUB_STEPS": str(steps), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), tracking or ""],
        env=environment,
        cwd=Path(__file__).parents[1],
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_when_it_hangs(process: subprocess.Popen, out: Path) -> None:
    deadline = time.monotonic() + 180
    while not (out / "tune" / "hangs").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (out / "tune" / "hangs").unlink()
