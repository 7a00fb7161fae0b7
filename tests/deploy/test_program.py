"""The program itself takes what the manifests give it: arguments, variables, settings; and answers where they ask.

A container's command is started here as it stands, with its ConfigMap and Secrets as files, and only the paths, the
port and the brokers of this machine in place of the cluster's. No Kafka is needed: settings are checked and probes are
answered before the first broker is.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import conftest
from render import ROOT, named, of_kind

BINARY = Path(os.environ.get("LABELSTREAM_BINARY", ROOT / "target/debug/labelstream"))
# The exit code for settings that cannot be used.
INVALID = 78
# Nobody listens there: the program goes on trying.
NO_BROKER = "127.0.0.1:9"
# However slow the machine is.
PATIENCE = 120


@pytest.fixture(scope="module", autouse=True)
def binary():
    if not BINARY.exists():
        pytest.skip(f"{BINARY} is not built: make test-deploy builds it")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Secrets as Strimzi writes them: the files of one self-signed certificate."""
    folder = tmp_path_factory.mktemp("secrets")
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: the Secrets of mutual TLS cannot be made")
    for name in ("kafka", "kafka-ca"):
        (folder / name).mkdir()
    key, certificate = folder / "kafka/user.key", folder / "kafka/user.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=labelstream-classify"]
    subprocess.run([*command, "-keyout", key, "-out", certificate, "-days", "2"], check=True, capture_output=True)
    shutil.copy(certificate, folder / "kafka-ca/ca.crt")
    return folder


class Container:
    """A container of the manifests as a process of this machine."""

    def __init__(self, workload, objects, folder, secrets, change=lambda text: text):
        pod = workload["spec"]["template"]["spec"] if "template" in workload["spec"] else workload["spec"]
        self.name = workload["metadata"]["name"]
        self.container = pod["containers"][0]
        self.port = free_port()
        for place in ("etc", "data"):
            (folder / place).mkdir(exist_ok=True)
        mounted = next(volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume)
        text = named(objects, "ConfigMap", mounted)["data"]["labelstream.toml"]
        self.here = {
            "/etc/labelstream": str(folder / "etc"),
            "/var/lib/labelstream": str(folder / "data"),
            "/run/secrets": str(secrets),
        }
        text = re.sub(r"brokers = \[.*?\]", f'brokers = ["{NO_BROKER}"]', self.moved(change(text)))
        (folder / "etc/labelstream.toml").write_text(text)
        self.folder = folder

    def moved(self, text):
        for there, here in self.here.items():
            text = text.replace(there, here)
        return text

    def variables(self):
        found = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "data")}
        if "ORT_DYLIB_PATH" in os.environ:
            found["ORT_DYLIB_PATH"] = os.environ["ORT_DYLIB_PATH"]
        for one in self.container.get("env", []):
            if "valueFrom" in one:
                assert one["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
                found[one["name"]] = f"{self.name}-0"
            else:
                found[one["name"]] = re.sub(r"^0\.0\.0\.0:\d+$", f"127.0.0.1:{self.port}", one["value"])
        # As the settings of a store find an identity: none is asked for before the first report.
        return {**found, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    @contextlib.contextmanager
    def started(self):
        command = [str(BINARY), *map(self.moved, self.container["args"])]
        log = self.folder / "log"
        with log.open("w") as out:
            process = subprocess.Popen(
                command, env=self.variables(), cwd=self.folder / "data", stdout=out, stderr=subprocess.STDOUT
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def log(self):
        return (self.folder / "log").read_text()

    def ask(self, path):
        """Status and body; None while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def until(what, process, container):
    """The first answer that is not None, unless the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = what()
        if answer is not None:
            return answer
        assert process.poll() is None, container.log()
        time.sleep(0.1)
    raise AssertionError(f"no answer within {PATIENCE} s:\n{container.log()}")


@pytest.mark.parametrize("worker", ["classify", "drift"])
def test_a_worker_starts_and_answers_its_probes(environment, worker, tmp_path, certificates):
    objects = conftest.rendered("kustomize", environment)  # the chart's are equal
    container = Container(named(objects, "StatefulSet", f"labelstream-{worker}"), objects, tmp_path, certificates)
    probes = {
        name: container.container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")
    }
    with container.started() as process:
        status, body = until(lambda: container.ask(probes["startup"]), process, container)
        assert status == 200 and f'"command":"{worker}"' in body
        assert container.ask(probes["liveness"])[0] == 200
        status, body = container.ask(probes["readiness"])
        assert status == 503 and '"ready":false' in body  # there is no broker
        assert container.ask("/metrics")[0] == 200
        # Every setting was read from where the manifests put it.
        log = container.log()
        assert f"labelstream-{worker}-0" in log and "LABELSTREAM__SOURCE__INSTANCE" in log
        assert "etc/labelstream.toml" in log
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) in (0, 1), container.log()  # 1: it was still waiting for a broker
        assert "stopping" in container.log()


@pytest.mark.parametrize("worker", ["classify", "drift"])
@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("kafka.broker", lambda text: text.replace("[kafka]", '[kafka]\nbroker = "x"')),
        ("kafka.security_protocol", lambda text: text.replace('= "ssl"', '= "tls"')),
        ("run.shutdown_grace_ms", lambda text: text.replace("shutdown_grace_ms = 25000", "shutdown_grace_ms = 1000")),
        ("not TOML", lambda text: text.replace("[kafka]", "[kafka")),
        ("expected a file", lambda text: text.replace("user.key", "user.pem")),
    ],
)
def test_a_broken_configmap_ends_the_new_pod_with_a_sentence(worker, said, change, tmp_path, certificates):
    """So a rolling update stops at the first pod, and the others go on with the old settings."""
    objects = conftest.rendered("kustomize", "prod")
    workload = named(objects, "StatefulSet", f"labelstream-{worker}")
    container = Container(workload, objects, tmp_path, certificates, change)
    with container.started() as process:
        assert process.wait(timeout=PATIENCE) == INVALID, container.log()
    assert said in container.log() and "labelstream.toml" in container.log()


def test_helm_test_runs_the_check_of_the_program(helm, tmp_path, certificates):
    objects = conftest.rendered(helm, "prod")
    container = Container(of_kind(objects, "Pod")[0], objects, tmp_path, certificates)
    with container.started() as process:
        assert process.wait(timeout=PATIENCE) == 1
    log = container.log()
    assert "ok    settings" in log and "FAIL  broker" in log
