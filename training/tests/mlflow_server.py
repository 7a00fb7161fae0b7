"""A real MLflow server for tests: sqlite, artifacts through its proxy, a free port of 127.0.0.1.

`conftest.py` offers it as the fixture `mlflow_server`, started once for all tests, as it takes seconds; so every
test uses names of its own. `state` is everything that the server keeps, to compare before and after.
"""

import hashlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 180
"""A loaded machine with two cores was seen to need 20 s."""


@dataclass(frozen=True, slots=True)
class MlflowServer:
    """`uri` is what `--registry` takes; `folder` holds its database and its artifacts."""

    uri: str
    folder: Path

    def state(self) -> dict[str, object]:
        """Every row of every table, and the digest of every artifact."""
        with closing(sqlite3.connect(f"file:{self.folder}/mlflow.db?mode=ro", uri=True)) as database:
            tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
            rows = {name: sorted(map(repr, database.execute(f'select * from "{name}"'))) for name in tables}
        files = (path for path in (self.folder / "artifacts").rglob("*") if path.is_file())
        return rows | {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def started(folder: Path) -> Iterator[MlflowServer]:
    """Runs a server until the block ends. The port may be taken between the look and the start: then once more."""
    for _ in range(3):
        port = _free_port()
        process = _start(folder, port)
        try:
            if _is_up(process, port):
                yield MlflowServer(f"http://127.0.0.1:{port}", folder)
                return
        finally:
            _stop(process)
    raise AssertionError(f"the MLflow server did not start: {(folder / 'server.log').read_text()[-2000:]}")


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    # Credentials and addresses of the user's own server must not reach this one.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=own | quiet, stdout=log, stderr=log, start_new_session=True)


def _is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            time.sleep(0.2)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server and its worker: a group of their own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(timeout=10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _free_port() -> int:
    with closing(socket.socket()) as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])
