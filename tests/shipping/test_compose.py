"""docker-compose.yml at work: its commands, variables and mounts on Apache Kafka, an S3 server and Prometheus.

One stack for all tests, in the order of this file: three minutes, most of them until the first window of the drift
worker closes. What is not installed is skipped by name.
"""

import collections
import json
import subprocess
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import composed
from .composed import ROOT, Here
from .stack import BINARY, TOOLS, Stack, ask, until

OURS = ["classify-1", "classify-2", "drift"]
SAMPLES = (ROOT / "demo" / "samples" / "messages.jsonl").read_bytes().splitlines()
GRACE_S = 30
"""`stop_grace_period` of the file."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, its topics, S3, the workers, and then the sample messages."""
    assert BINARY.exists(), f"no binary at {BINARY}: cargo build --workspace --bin labelstream"
    running = Stack(Here(tmp_path_factory.mktemp("compose"), composed.services()))
    try:
        running.kafka()
        subprocess.run(running.kafka_words("topics"), check=True, timeout=120)
        print(f"S3 server: {running.s3()}")
        for name in OURS:
            assert running.services[name].written["stop_grace_period"] == f"{GRACE_S}s"
            running.labelstream(name)
        running.start("messages", running.kafka_words("messages"))
        yield running
    finally:
        running.stop()


def test_every_container_of_ours_becomes_healthy(stack: Stack):
    """By the file's own health checks, which ask /ready."""
    for name in OURS:
        until(f"{name} is healthy", lambda name=name: stack.is_healthy(name))


def test_sample_messages_are_labelled_by_both_workers(stack: Stack):
    until("every sample was sent once", lambda: len(stack.read("messages")) >= len(SAMPLES))
    until("labels arrive", lambda: len(stack.read("messages-labeled")) > 100)
    for name in ("classify-1", "classify-2"):
        _, metrics = ask(f"http://{stack.here.address(name, 9464)}/metrics")
        assigned = next(line for line in metrics.splitlines() if line.startswith("labelstream_assigned_partitions "))
        assert float(assigned.split()[1]) == 2, f"{name}: {assigned}"


def test_prometheus_scrapes_them(stack: Stack):
    """By the mounted configuration; its rules of the next issue will find series with these names."""
    if not (TOOLS / "prometheus").exists():
        pytest.skip("NOT RUN: Prometheus is not installed: tools/install prometheus")
    stack.alertmanager()
    stack.prometheus()
    address = stack.here.address("prometheus", 9090)

    def query(expression: str) -> list[dict]:
        status, body = ask(f"http://{address}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        assert status == 200, body
        return json.loads(body)["data"]["result"]

    until("all targets are up", lambda: sum(float(each["value"][1]) for each in query("up")) == len(OURS))
    until("labels are counted", lambda: len(query('labelstream_records_total{outcome="labeled"} > 0')) == 2)
    _, body = ask(f"http://{address}/api/v1/alertmanagers")
    expected = f"http://{stack.here.address('alertmanager', 9093)}/api/v2/alerts"
    assert [each["url"] for each in json.loads(body)["data"]["activeAlertmanagers"]] == [expected]


def test_drift_reports_are_on_s3(stack: Stack):
    """Read back by `drift explain` with the variables of the drift service."""
    service = stack.services["drift"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(stack.here.folder)} | stack.here.environment(service)

    def explained() -> subprocess.CompletedProcess[str]:
        command = [BINARY, "drift", "explain", "latest"]
        return subprocess.run(
            command, env=environment, cwd=stack.here.folder, capture_output=True, text=True, check=False
        )

    until("a window was reported", lambda: explained().returncode == 0, 300)
    found = explained().stdout
    assert "banking77-minilm" in found and "UTC" in found, found


def test_stopping_loses_and_doubles_nothing(stack: Stack):
    """The producer ends, the workers finish within their grace period; what cannot be read is a dead letter."""
    stack.end("messages", 10)
    sent = len(stack.read("messages"))
    until("all is labelled", lambda: len(stack.read("messages-labeled")) + len(_dead_letters(stack)) >= sent)
    for name in OURS:
        assert stack.end(name, GRACE_S) == 0, stack.log(name)[-3000:]
    labeled = [json.loads(line) for line in stack.read("messages-labeled")]
    origins = collections.Counter(tuple(event["source"][key] for key in ("partition", "offset")) for event in labeled)
    assert max(origins.values()) == 1, "a record was labelled twice"
    dead = _dead_letters(stack)
    assert len(labeled) + len(dead) == sent and len(dead) >= 3
    assert set(dead) == {line for line in SAMPLES if not _is_readable(line)}
    for name in OURS:
        assert " ERROR " not in stack.log(name), stack.log(name)


def _is_readable(line: bytes) -> bool:
    try:
        return bool(json.loads(line).get("text", "").strip())
    except ValueError:
        return False


def _dead_letters(stack: Stack) -> list[bytes]:
    return stack.read("messages-dead-letters")


def test_mlflow_answers_by_the_name_of_its_service(tmp_path: Path):
    """MLflow refuses requests for a host that it was not told of; only its port and its folder are of this machine."""
    python = TOOLS / "training" / "bin" / "python"
    if not python.exists():
        pytest.skip("NOT RUN: MLflow is not installed: tools/install training")
    alone = Stack(Here(tmp_path, composed.services()))
    service, address = alone.services["mlflow"], alone.here.address("mlflow", 5000)
    host, port = address.split(":")
    places = {"0.0.0.0": host, "5000": port, "/mlflow/": f"{alone.here.path(service, '/mlflow')}/"}
    words = service.command
    for written, here in places.items():
        words = [word.replace(written, here) for word in words]
    try:
        alone.start("mlflow", [str(python), "-m", *words], alone.here.environment(service))
        until("MLflow answers", lambda: ask(f"http://{address}/health")[0] == 200)
        search = f"http://{address}/api/2.0/mlflow/experiments/search?max_results=1"
        assert ask(search, host=f"mlflow:{port}")[0] == 200
        assert ask(search, host=f"localhost:{port}")[0] == 200
        assert ask(search, host="elsewhere.example")[0] == 403
    finally:
        alone.stop()
