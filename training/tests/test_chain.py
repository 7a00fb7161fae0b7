"""The whole chain: a file of texts that nobody has seen, one command, a registry, and the program that serves from it.

`run` trains the fast tier where torch cannot be imported, gates and registers on a real MLflow server; the program
`labelstream` labels a stream by `models:/NAME@challenger`, and again from its cache when the server is gone.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("mlflow", reason="the MLflow client is not installed: pip install mlflow-skinny")

from labelstream_train.package import manifest, serving
from labelstream_train.package.scorer import Scorer

from . import shop_texts
from .mlflow_server import MlflowServer, started

MODEL = "shop-intents"
ADDRESS = f"models:/{MODEL}@challenger"
ROOT = Path(__file__).parents[1]
SECONDS_MAX = 600

WITHOUT_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("this test has no torch", name=name)
sys.meta_path.insert(0, NoTorch())
from labelstream_train.__main__ import run
run()
"""

SMALL = ("fast.base=none", "fast.dimensions=64", "evaluate.speed_repeats=20", "evaluate.bootstrap_repeats=200")
"""Settings that take seconds; the words are learnt from the texts, as a base's take a minute to read."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A run that ended with exit code `code`."""

    out: Path
    code: int
    said: str


@pytest.fixture
def program() -> Path:
    """The program of this checkout; without it, or without a Kafka client, the test says what is missing."""
    found = serving.program("")
    if found is None:
        pytest.skip("the program labelstream was not built: cargo build --package cli")
    if shutil.which("kcat") is None:
        pytest.skip("the Kafka client kcat is not installed")
    return found.resolve()


def test_from_unseen_texts_to_a_stream_that_serves_them(tmp_path: Path, program: Path) -> None:
    with started(_folder(tmp_path / "mlflow")) as server:
        good = train(tmp_path, "good", server)
        assert good.code == 0, good.said
        registered = json.loads((good.out / "register" / "registered.json").read_text(encoding="utf-8"))
        assert (registered["model_name"], registered["version"], registered["alias"]) == (MODEL, 1, "challenger")

        before = server.state()
        bad = train(tmp_path, "bad", server)
        assert bad.code == 4, bad.said
        assert "refused: pass the gate" in bad.said
        assert server.state() == before, "a model that learned noise changed the registry"

        served = serve(tmp_path, program, server.uri)
        _agrees(served, good.out / "package")
    offline = serve(tmp_path, program, server.uri)
    _agrees(offline, good.out / "package")
    assert "failed to" in pull_with_an_empty_cache(tmp_path, program, server.uri)  # so it did come from the cache


def train(tmp_path: Path, name: str, server: MlflowServer) -> Trained:
    """`run` with one command, in a folder of its own, from a CSV file; `bad` has its labels dealt out at random."""
    data = shop_texts.write(tmp_path / f"{name}.csv", is_shuffled=name == "bad")
    command = [
        sys.executable, "-c", WITHOUT_TORCH, "run", "--data", data.name, "--text", "utterance", "--label", "intent",
        "--tier", "fast", "--out", name, "--registry", server.uri, "--model-name", MODEL,
        "--data-name", "shop", "--data-licence", "CC0-1.0", "--data-attribution", "made up for a test",
    ]  # fmt: skip
    command += [part for each in SMALL for part in ("--set", each)]
    environment = _environment() | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    return Trained(tmp_path / name, done.returncode, done.stdout + done.stderr)


def serve(tmp_path: Path, program: Path, uri: str) -> list[dict]:
    """The events that come out when every text of the file is labelled with the model that the registry names."""
    with broker(program) as address:
        lines = "".join(
            json.dumps({"id": place, "text": text}) + "\n" for place, (text, _) in enumerate(shop_texts.rows())
        )
        _run(["kcat", "-P", "-b", address, "-t", "messages"], tmp_path, {}, lines)
        own = {"MLFLOW_TRACKING_URI": uri, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        command = [
            program,
            "classify",
            "--model",
            ADDRESS,
            "--brokers",
            address,
            "--input",
            "messages",
        ]
        _run([*command, "--output", "labelled", "--set", "http.listen=127.0.0.1:0", "--until-end"], tmp_path, own)
        shown = _run(["kcat", "-C", "-e", "-q", "-b", address, "-t", "labelled"], tmp_path, {})
    return [json.loads(line) for line in shown.splitlines()]


def pull_with_an_empty_cache(tmp_path: Path, program: Path, uri: str) -> str:
    """What the program says when it is to fetch the package and can neither ask the server nor the cache."""
    command = [
        program,
        "model",
        "pull",
        ADDRESS,
        "--model-cache",
        tmp_path / "empty",
        "--set",
        "packages.attempts_max=1",
    ]
    own = _environment() | {"MLFLOW_TRACKING_URI": uri}
    done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


@contextmanager
def broker(program: Path) -> Iterator[str]:
    """A broker in memory on a free port, until the block ends."""
    process = subprocess.Popen(
        [program, "broker", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(),
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"(127\.0\.0\.1|localhost):(\d+)", line):
                yield f"127.0.0.1:{found.group(2)}"
                return
        raise AssertionError("the broker ended without saying its port")
    finally:
        process.terminate()
        process.wait(timeout=30)


def _agrees(events: list[dict], package: Path) -> None:
    """Every text came out once, with the label and score that the package gives it here, and the package's digest."""
    expected = dict(enumerate(text for text, _ in shop_texts.rows()))
    assert {event["id"]: event["text"] for event in events} == expected and len(events) == len(expected)
    scorer = Scorer(package, threads=1)
    rows = scorer.probabilities([event["text"] for event in events])
    for event, row in zip(events, rows, strict=True):
        assert event["label"] == scorer.labels[int(row.argmax())]
        assert abs(event["score"] - float(row.max())) < 1e-4
    assert {event["model"]["digest"] for event in events} == {manifest.package_digest(package)}
    truth = dict(shop_texts.rows())
    right = sum(event["label"] == truth[event["text"]] for event in events) / len(events)
    assert right > 0.9


def _run(command: list, folder: Path, own: dict[str, str], given: str | None = None) -> str:
    """Runs a command that must succeed, and returns its stdout."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment() | own,
        input=given,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


def _environment() -> dict[str, str]:
    """The environment without what would name another server or other settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "LABELSTREAM_"))}


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
