"""The program itself takes what the manifests give it: arguments, variables, settings; and answers where they ask.

No Kafka is needed: settings are checked and probes are answered before the first broker is.
"""

import shutil
import signal
import subprocess

import pytest

import conftest
from container import BINARY, PATIENCE, Container, until
from render import named, of_kind

# The exit code for settings that cannot be used.
INVALID = 78


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
