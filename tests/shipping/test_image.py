"""The image, built and run: small, without a shell, without rights, and at work on Apache Kafka.

`LABELSTREAM_IMAGE=full` compiles inside the image, as `docker build` does. Without it the stage `build` is replaced by
the tree that tools/release lays out from a binary which is there already; everything else is built. Figures are
printed: `-s`.
"""

import collections
import contextlib
import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import containers
from .composed import ROOT
from .containers import LOCKED, buildah, podman_command, run
from .stack import BINARY, TOOLS, until

SIZE_MAX = 120_000_000
KAFKA = os.environ.get("LABELSTREAM_TEST_KAFKA")
IS_FULL = os.environ.get("LABELSTREAM_IMAGE") == "full"
TEXTS = [json.dumps({"id": at, "text": f"My card number {at} has not arrived"}) for at in range(200)]

if why := containers.missing():
    pytest.skip(f"NOT RUN: the image is neither built nor run here: {why}", allow_module_level=True)
needs_kafka = pytest.mark.skipif(not KAFKA, reason="NOT RUN: no Apache Kafka; tools/kafka/kafka with ...")


@dataclass(frozen=True, slots=True)
class Image:
    """`folder` has the image's files, to look at."""

    name: str
    folder: Path
    configuration: dict


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    base = containers.base(with_rust=IS_FULL)
    print(f"\nbase image: {base.name}{', a stand-in by debootstrap' if base.is_stand_in else ''}")
    command = ["bud", "--format", "docker", "--isolation", "chroot", "--pull-never", "--build-arg", "REVISION=test"]
    if not IS_FULL:
        tree = tmp_path_factory.mktemp("build")
        print(f"NOT BUILT: the stage `build`; in its place {BINARY} (LABELSTREAM_IMAGE=full builds it too)")
        run("env", f"LABELSTREAM_BINARY={BINARY}", ROOT / "tools" / "release", "folder", tree / "tree")
        command += ["--build-context", f"build={tree}"]
    name = "localhost/labelstream:test"
    buildah(*command, "--tag", name, ROOT, quiet=not IS_FULL)
    container = buildah("from", "--pull-never", name)
    try:
        configuration = json.loads(buildah("inspect", "--type", "image", name))["Docker"]["config"]
        yield Image(name, Path(buildah("mount", container)), configuration)
    finally:
        buildah("rm", container)


def test_it_is_small(image: Image):
    size = sum(path.lstat().st_size for path in image.folder.rglob("*") if not path.is_symlink() and path.is_file())
    parts = {
        name: (image.folder / name).stat().st_size
        for name in (
            "usr/bin/labelstream",
            "usr/lib/labelstream/libonnxruntime.so",
            "usr/share/labelstream/models/banking77-minilm/model.onnx",
        )
    }
    print(f"image: {size / 1e6:.1f} MB, of them", {name: f"{bytes_ / 1e6:.1f} MB" for name, bytes_ in parts.items()})
    assert size < SIZE_MAX


def test_it_holds_nothing_to_execute_but_labelstream(image: Image):
    """No shell, no package manager, nothing that gives rights."""
    files = [path for path in image.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    programs = {str(path.relative_to(image.folder)) for path in files if path.stat().st_mode & 0o111}
    programs = {name for name in programs if ".so" not in name}
    assert programs == {"usr/bin/labelstream"}
    assert not [path for path in files if path.stat().st_mode & 0o6000]
    for shell in ("/bin/sh", "/bin/bash", "/usr/bin/env"):
        found = subprocess.run(
            podman_command("run", "--rm", *LOCKED, "--entrypoint", shell, image.name),
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 127, found.stderr
    for name in ("libc6", "libgcc-s1", "libstdc++6", "ca-certificates", "base-files"):
        status = (image.folder / "var/lib/dpkg/status.d" / name).read_text(encoding="utf-8")
        assert f"Package: {name}\n" in status and "\nVersion: " in status, "scanners would not see it"
    assert "BEGIN CERTIFICATE" in (image.folder / "etc/ssl/certs/ca-certificates.crt").read_text(encoding="utf-8")


def test_it_says_what_it_is_and_how_to_ask_it(image: Image):
    found = image.configuration
    assert found["User"] == "65532:65532" and found["Entrypoint"] == ["labelstream"]
    assert found["Healthcheck"]["Test"] == ["CMD", "labelstream", "health"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in found["Labels"].items()}
    assert labels["title"] == "labelstream" and labels["licenses"] == "Apache-2.0" and labels["revision"] == "test"
    version = subprocess.run(
        podman_command("run", "--rm", *LOCKED, image.name, "--version"), capture_output=True, text=True, check=True
    )
    assert version.stdout == f"labelstream {labels['version']}\n"


def test_the_default_model_passes_its_golden_texts_inside(image: Image):
    found = _run_once(image, "model", "check", "models/banking77-minilm")
    assert found.returncode == 0 and "banking77-minilm" in found.stdout, found.stdout + found.stderr


def _run_once(image: Image, *arguments: str | Path, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = podman_command("run", "--rm", *LOCKED, *options, image.name, *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def topics() -> str:
    """A prefix of topics of our own: PREFIX with 200 texts and two that are none, PREFIX-labeled, PREFIX-dead."""
    prefix = f"image-{uuid.uuid4().hex[:8]}"
    program = ["java", "-cp", f"{TOOLS}/kafka/libs/*:{TOOLS}/kafka-tools/*", "org.apache.kafka.tools.TopicCommand"]
    for name in (prefix, f"{prefix}-labeled", f"{prefix}-dead"):
        run(*program, "--bootstrap-server", KAFKA, "--create", "--topic", name, "--partitions", "2")
    lines = [*TEXTS, "not JSON", '{"id": 200}']
    produce = ["kcat", "-P", "-b", KAFKA, "-t", prefix]
    subprocess.run(produce, input="\n".join(lines), text=True, check=True, timeout=60)
    return prefix


def _flags(group: str, port: int) -> list[str]:
    """By a name, which the image's own nsswitch.conf has to find, and where nobody else listens on this host."""
    assert KAFKA
    brokers = KAFKA.replace("127.0.0.1", "localhost")
    return ["--brokers", brokers, "--group", group, "--instance", "one", "--set", f"http.listen=127.0.0.1:{port}"]


@contextlib.contextmanager
def _running(image: Image, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    name = f"labelstream-{uuid.uuid4().hex[:8]}"
    command = podman_command("run", "--rm", "--name", name, *LOCKED, image.name, *arguments)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        yield name, process
    finally:
        if process.poll() is None:
            subprocess.run(podman_command("kill", name), capture_output=True, check=False)
            process.wait(timeout=30)


@needs_kafka
def test_classify_becomes_ready_labels_and_stops(image: Image, topics: str):
    """By the image's own health check, from inside; SIGTERM ends it with 0."""
    port = _free_port()
    labeled_topic, dead_topic = f"{topics}-labeled", f"{topics}-dead"
    arguments = ["--input", topics, "--output", labeled_topic, "--dead-letter", dead_topic]
    began = time.monotonic()
    with _running(image, "classify", *_flags(topics, port), *arguments) as (name, process):
        asked = ["labelstream", "health", "--ready", "--address", f"127.0.0.1:{port}"]

        def is_ready() -> bool:
            assert process.poll() is None, process.stderr.read()
            return (
                subprocess.run(podman_command("exec", name, *asked), capture_output=True, check=False).returncode == 0
            )

        until("the container is ready", is_ready)
        print(f"start to ready: {time.monotonic() - began:.1f} s")
        sent = len(TEXTS) + 2
        until("all is labelled", lambda: len(_read(labeled_topic)) + len(_read(dead_topic)) >= sent, 60)
        stop = subprocess.run(podman_command("stop", "--time", "30", name), capture_output=True, text=True, check=False)
        assert stop.returncode == 0, stop.stderr
        assert process.wait(timeout=30) == 0, process.stderr.read()
    labeled = [json.loads(line) for line in _read(labeled_topic)]
    assert sorted(event["id"] for event in labeled) == list(range(200))
    labels = collections.Counter(event["label"] for event in labeled)
    assert labels.most_common(1)[0][0] == "card_arrival", labels
    assert sorted(_read(dead_topic)) == sorted([b"not JSON", b'{"id": 200}'])


@needs_kafka
def test_drift_writes_its_reports_where_it_may(image: Image, topics: str, tmp_path: Path):
    """To a volume of user 65532; the rest of the container is read-only, and a folder there is refused by name."""
    flags = ["drift", *_flags(f"{topics}-drift", _free_port()), "--input", f"{topics}-labeled", "--until-end"]
    refused = _run_once(image, *flags)
    assert refused.returncode != 0 and "labelstream-data" in refused.stderr, refused.stderr
    print("without a volume:", refused.stderr.strip().splitlines()[-1])
    volume = tmp_path / "data"
    volume.mkdir()
    os.chown(volume, 65532, 65532)
    found = _run_once(image, *flags, options=("--volume", f"{volume}:/var/lib/labelstream"))
    assert found.returncode == 0, found.stderr
    assert [path for path in volume.rglob("*.parquet")], found.stderr
    assert {path.stat().st_uid for path in volume.rglob("*")} == {65532}


def _read(topic: str) -> list[bytes]:
    command = ["kcat", "-C", "-e", "-q", "-b", KAFKA, "-t", topic, "-X", "isolation.level=read_committed"]
    found = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return [line for line in found.stdout.split(b"\n") if line]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
