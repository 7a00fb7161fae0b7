"""A project folder with a small data set, quick settings and `labelstream-train` on the path, for pipeline tests."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import planted

TRAINING = Path(__file__).parents[1]
TOOLS = Path(os.environ.get("LABELSTREAM_PIPELINES", TRAINING.parent / ".tools" / "pipelines")) / "bin"

SETTINGS = """
[run]
tier = "fast"
name = "small"
[data]
path = "data"
licence = "CC0-1.0"
attribution = "invented"
[fast]
base = "none"
epochs = 5
dimensions = 16
[evaluate]
bootstrap_repeats = 200
robustness_texts_max = 0
bias_texts_max = 0
speed_repeats = 0
[gate]
rules = "{rules}"
"""


@dataclass(frozen=True, slots=True)
class Project:
    """`folder` has data/, mine.toml (the settings) and rules.toml; commands run there."""

    folder: Path
    environment: dict[str, str]

    def try_run(self, *command: str | Path) -> subprocess.CompletedProcess:
        """Runs a command to its end, at most 10 minutes; its output is kept."""
        return subprocess.run(
            [str(each) for each in command], cwd=self.folder, env=self.environment, text=True, timeout=600,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, *command: str | Path) -> str:
        """As `try_run`; a failure is shown with all that the command said."""
        done = self.try_run(*command)
        assert done.returncode == 0, f"{command} exited with {done.returncode}:\n{done.stdout}"
        return done.stdout


def project(folder: Path) -> Project:
    """Skips the test, saying so, where DVC and Kubeflow are not installed."""
    if not (TOOLS / "dvc").is_file():
        pytest.skip("DVC and Kubeflow Pipelines are not installed: tools/install pipelines")
    home = folder / "project"
    planted.write(planted.rows(60), home / "data" / "train.jsonl")
    planted.write(planted.rows(20, seed=1), home / "data" / "test.jsonl")
    (home / "rules.toml").write_text("[macro_f1]\nmin = 0.01\n", encoding="utf-8")
    (home / "mine.toml").write_text(SETTINGS.format(rules=home / "rules.toml"), encoding="utf-8")
    command = folder / "bin" / "labelstream-train"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m labelstream_train "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{command.parent}:{TOOLS}:{os.environ['PATH']}",
        "PYTHONPATH": str(TRAINING),
        "HOME": str(folder),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    return Project(home, environment)
