"""What can be said of docker-compose.yml, the Dockerfile and monitoring/ without running anything; under a second."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from . import composed
from .composed import ROOT, Service

SERVICES = composed.services()
RUNS_ONCE = {"topics"}
"""Ends when its work is done, so there is no health to ask for."""
HAS_NO_PORT = {"messages"}
"""A pipe into Kafka: it runs or it does not."""


def declared_settings() -> set[str]:
    """Every key that labelstream knows, as it would be written in the environment."""
    keys = set()

    def walk(path: tuple[str, ...], table: dict) -> None:
        for name, value in table.items():
            keys.add("__".join((*path, name)).upper())
            if isinstance(value, dict):
                walk((*path, name), value)

    for file in ("workers/default.toml", "engine/src/settings/default.toml", "packages/src/default.toml"):
        text = (ROOT / file).read_text(encoding="utf-8")
        # A key without a default is a comment: `#? key = example`.
        walk((), tomllib.loads(re.sub(r"^#\? ", "", text, flags=re.MULTILINE)))
    return keys


def test_the_compose_file_is_valid():
    """By the specification's own schema, and with nothing that the reader would have to set."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(composed.FILE)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    text = composed.FILE.read_text(encoding="utf-8")
    assert not re.findall(r"(?<!\$)\$[{A-Za-z_]", text), "a variable that `docker compose up` alone would not set"


def test_the_core_needs_no_flag_and_the_rest_has_its_profile():
    profiles = {name: service.written.get("profiles", []) for name, service in SERVICES.items()}
    assert {name for name, found in profiles.items() if found == ["observability"]} == {
        "prometheus", "alertmanager", "grafana",
    }  # fmt: skip
    assert {name for name, found in profiles.items() if found == ["training"]} == {"mlflow"}
    core = {name for name, found in profiles.items() if not found}
    assert core == {"kafka", "topics", "messages", "classify-1", "classify-2", "drift", "s3"}
    for name in core:
        assert set(SERVICES[name].written.get("depends_on", {})) <= core, f"{name} waits for what does not start"


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_is_pinned_watched_and_for_this_host_only(service: Service):
    tag = service.image.rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), f"{service.image} is not one release"
    assert service.healthcheck or service.name in RUNS_ONCE | HAS_NO_PORT
    assert service.written.get("restart") == (None if service.name in RUNS_ONCE else "on-failure")
    for port in service.written.get("ports", []):
        assert port.startswith("127.0.0.1:"), f"{service.name} is open to the network: {port}"
    for other, how in service.written.get("depends_on", {}).items():
        ends = SERVICES[other].name in RUNS_ONCE
        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_host_ports_are_used_once():
    ports = [port.split(":")[1] for service in SERVICES.values() for port in service.written.get("ports", [])]
    assert len(ports) == len(set(ports)), sorted(ports)


def test_our_containers_may_do_nothing_but_their_work():
    ours = [service for service in SERVICES.values() if service.is_ours]
    assert {service.name for service in ours} == {"classify-1", "classify-2", "drift"}
    for service in ours:
        written = service.written
        assert written["read_only"] and written["cap_drop"] == ["ALL"] and written["user"] == "65532:65532"
        assert written["security_opt"] == ["no-new-privileges:true"]
        assert written["healthcheck"]["test"][1:3] == ["labelstream", "health"]
    names = [service.environment["LABELSTREAM__SOURCE__INSTANCE"] for service in ours]
    assert len(names) == len(set(names)), "two workers of one name fence each other"


def test_settings_exist():
    """In docker-compose.yml and in the Dockerfile."""
    keys = declared_settings()
    assert {"KAFKA__BROKERS", "REPORTS__ENDPOINT", "HTTP__LISTEN"} <= keys
    used = [name for service in SERVICES.values() for name in service.environment] + list(composed.image_environment())
    for name in used:
        if name.startswith("LABELSTREAM"):
            assert name.removeprefix("LABELSTREAM__") in keys, name


def test_versions_are_one():
    """The compiler of the image is the one of the checkout, and the image has the version of the crates."""
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text(encoding="utf-8"))["toolchain"]["channel"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"rust:([\d.]+)-", dockerfile)) == {channel}
    version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["version"]
    assert f"ARG VERSION={version}\n" in dockerfile and f"labelstream:{version}" == composed.OUR_IMAGE
    kafka = SERVICES["kafka"].image.removeprefix("apache/kafka:")
    pom = (ROOT / "tools/kafka/pom.xml").read_text(encoding="utf-8")
    assert f"<version>{kafka}</version>" in pom, "tests run on another Kafka"


def test_the_image_is_built_from_what_its_dockerfile_reads():
    """A crate that .dockerignore leaves out would be missed only by whoever builds the image."""
    listed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    members = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["members"]
    for name in [*members, "models", "tools", "Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "CHANGELOG.md"]:
        assert f"!{name}" in listed, f"{name} is not sent to the build"
    for line in filter(lambda line: line.startswith("!"), listed):
        assert (ROOT / line[1:]).exists(), f"{line} names nothing"


def test_the_dockerfile_is_lint_free():
    found = subprocess.run(
        [f"{sys.prefix}/bin/hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0 and not found.stdout, found.stdout + found.stderr


def test_what_is_scraped_and_shown_exists():
    """Prometheus scrapes every service of ours and knows its Alertmanager; Grafana asks that Prometheus."""
    prometheus = yaml.safe_load((ROOT / "monitoring/prometheus.yml").read_text(encoding="utf-8"))
    scraped = {
        target for job in prometheus["scrape_configs"] for group in job["static_configs"] for target in group["targets"]
    }
    assert scraped == {f"{service.name}:9464" for service in SERVICES.values() if service.is_ours}
    (alertmanagers,) = prometheus["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    provisioned = ROOT / "monitoring/grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(provisioned.read_text(encoding="utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
