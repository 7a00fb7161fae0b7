"""Wrong values are refused before anything is installed, with a sentence that names what to change."""

import json
import os
import re
import shutil

import pytest

import conftest
import render
from promises import broken
from render import CHART, PROGRAMS, ROOT, Refused, named, of_kind, run
from settings_schema import dump, settings_schema

SCHEMA = CHART / "values.schema.json"


def test_the_schema_has_every_setting_of_the_program():
    schema = json.loads(SCHEMA.read_text())
    schema["properties"]["settings"] = settings_schema((ROOT / "docs/settings.md").read_text())
    if os.environ.get("UPDATE"):
        SCHEMA.write_text(dump(schema))
    assert SCHEMA.read_text() == dump(schema), "UPDATE=1 make test-deploy writes it again"


def test_the_readme_tells_every_value():
    def names(of, prefix=""):
        for name, one in of["properties"].items():
            if "properties" in one and name not in ("settings", "resources"):
                yield from names(one, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"

    page = (CHART / "README.md").read_text()
    told = set(re.findall(r"`([a-zA-Z.]+)`", "".join(line for line in page.splitlines() if line.startswith("| `"))))
    every = set(names(json.loads(SCHEMA.read_text()))) - {"global"}
    # Those that both workers have are told once, by their bare names.
    bare = {name.removeprefix("classify.") for name in every if name.startswith("classify.")}
    every = bare | {name for name in every if name.removeprefix("classify.").removeprefix("drift.") not in bare}
    assert every <= told, sorted(every - told)


REFUSED = [
    # A misspelt name anywhere.
    ("replica", {"classify": {"replica": 3}}),
    ("sorce", {"settings": {"sorce": {"group": "x"}}}),
    ("grup", {"settings": {"source": {"grup": "x"}}}),
    ("podmonitor", {"podmonitor": {"enabled": True}}),
    # What the chart sets itself, and passwords in a ConfigMap.
    ("instance", {"settings": {"source": {"instance": "one"}}}),
    ("listen", {"settings": {"http": {"listen": "0.0.0.0:80"}}}),
    ("enabled", {"settings": {"http": {"enabled": False}}}),
    ("sasl_password", {"settings": {"kafka": {"sasl_password": "secret"}}}),
    # Wrong types and forms.
    ("brokers", {"settings": {"kafka": {"brokers": ["kafka"]}}}),
    ("brokers", {"settings": {"kafka": {"brokers": "kafka:9092"}}}),
    ("security_protocol", {"settings": {"kafka": {"security_protocol": "SSL"}}}),
    ("records_max", {"settings": {"batch": {"records_max": "many"}}}),
    ("commit_wait_ms", {"settings": {"sink": {"commit_wait_ms": "soon"}}}),
    ("bytes_max", {"settings": {"batch": {"bytes_max": "4 million"}}}),
    ("shutdown_grace_ms", {"settings": {"run": {"shutdown_grace_ms": "25s"}}}),
    ("topics", {"settings": {"source": {"topics": ["no/topic"]}}}),
    ("replicas", {"classify": {"replicas": "two"}}),
    ("replicas", {"classify": {"replicas": -1}}),
    ("memory", {"classify": {"resources": {"limits": {"memory": "512MB"}}}}),
    ("limits", {"drift": {"resources": {"limits": None}}}),
    ("digest", {"image": {"digest": "sha256:abc"}}),
    ("pullPolicy", {"image": {"pullPolicy": "Sometimes"}}),
    ("kafkaSecret", {"classify": {"kafkaSecret": "Kafka_Secret"}}),
    ("whenNodesAreShort", {"classify": {"whenNodesAreShort": "Never"}}),
    ("minReplicas", {"autoscaling": {"enabled": True, "minReplicas": 0}}),
    ("kafka", {"networkPolicy": {"kafka": []}}),
    ("kafkaPorts", {"networkPolicy": {"kafkaPorts": [70000]}}),
    ("cidr", {"networkPolicy": {"https": [{"ipBlock": {"cidr": "everywhere"}}]}}),
    ("interval", {"podMonitor": {"interval": "30"}}),
    # Relations of values: the sentence says what to set.
    ("set it to a version, or set image.digest", {"image": {"tag": "latest"}}),
    ("set drift.volume.enabled=true, or an s3:// URL", {"settings": {"reports": {"url": "reports"}}}),
    (
        "set it to /var/lib/labelstream/reports",
        {"settings": {"reports": {"url": "/reports"}}, "drift": {"replicas": 1, "volume": {"enabled": True}}},
    ),
    ("set drift.replicas=1", {"drift": {"volume": {"enabled": True}}}),
    (
        "set classify.kafkaSecret to the Secret that holds password",
        {"settings": {"kafka": {"security_protocol": "sasl_ssl", "sasl_password_file": "/run/secrets/kafka/password"}}},
    ),
    (
        "set kafkaCaSecret to the Secret that holds ca.crt",
        {"settings": {"kafka": {"security_protocol": "ssl", "ssl_ca_file": "/run/secrets/kafka-ca/ca.crt"}}},
    ),
    (
        "set it to at most autoscaling.maxReplicas, 2",
        {"autoscaling": {"enabled": True, "minReplicas": 3, "maxReplicas": 2}},
    ),
    ("set classify.kafkaSecret and drift.kafkaSecret", {"strimzi": {"enabled": True}}),
    (
        "so set two names",
        {"strimzi": {"enabled": True}, "classify": {"kafkaSecret": "one"}, "drift": {"kafkaSecret": "one"}},
    ),
]


@pytest.mark.parametrize(
    ("said", "values"), REFUSED, ids=[f"{place}-{said}" for place, (said, _) in enumerate(REFUSED)]
)
def test_a_wrong_value_is_refused(helm, said, values):
    with pytest.raises(Refused) as refused:
        render.helm(helm, values=values)
    assert said in str(refused.value)


# What is allowed, and still keeps every promise.
ALLOWED = {
    "defaults": {},
    "no drift": {"drift": {"enabled": False}},
    "durations in words": {"settings": {"sink": {"commit_wait_ms": "1m30s"}, "batch": {"bytes_max": "4MiB"}}},
    "a longer stop": {"settings": {"run": {"shutdown_grace_ms": 90_500}}},
    "another topic and group": {"settings": {"source": {"topics": ["mails", "chats"], "group": "Team.A_1"}}},
    "free properties": {"settings": {"kafka": {"properties": {"client.rack": "a"}}}},
    "a digest": {"image": {"digest": "sha256:" + "0" * 64}},
    "SASL and autoscaling": {
        "settings": {
            "kafka": {
                "brokers": ["b-1:9096"],
                "security_protocol": "sasl_ssl",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_username": "labelstream",
                "sasl_password_file": "/run/secrets/kafka/password",
            }
        },
        "networkPolicy": {"kafka": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "kafkaPorts": [9096]},
        "classify": {"kafkaSecret": "kafka-password"},
        "drift": {"kafkaSecret": "kafka-password"},
        "autoscaling": {"enabled": True},
    },
}


@pytest.mark.parametrize("values", ALLOWED.values(), ids=ALLOWED)
def test_other_values_keep_every_promise(helm, values):
    assert broken(render.helm(helm, values=values)) == []


def test_a_password_reaches_keda_and_pods_by_reference(helm):
    objects = render.helm(helm, values=ALLOWED["SASL and autoscaling"])
    reference = named(objects, "TriggerAuthentication", "labelstream-classify")["spec"]["secretTargetRef"]
    assert reference == [
        {"parameter": "username", "name": "kafka-password", "key": "username"},
        {"parameter": "password", "name": "kafka-password", "key": "password"},
    ]
    trigger = of_kind(objects, "ScaledObject")[0]["spec"]["triggers"][0]["metadata"]
    assert (trigger["sasl"], trigger["tls"], trigger["lagThreshold"]) == ("scram_sha512", "enable", "2000")


def test_the_grace_follows_the_settings(helm):
    objects = render.helm(helm, values=ALLOWED["a longer stop"])
    graces = {
        one["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] for one in of_kind(objects, "StatefulSet")
    }
    assert graces == {101}


@pytest.mark.parametrize("release", ["labelstream", "text", "a" * 53], ids=["labelstream", "text", "longest"])
def test_names_fit_into_labels(helm, release):
    objects = render.helm(helm, release=release)
    assert broken(objects) == []
    for one in of_kind(objects, "StatefulSet"):
        # A pod's name and the hash of its revision are labels, of 63 characters at most.
        assert len(one["metadata"]["name"]) + len("-1234567890") <= 63


def test_two_releases_claim_one_group_by_one_name(helm):
    """Helm refuses to create what another release owns; with another group the names differ."""

    def claims(release, group):
        objects = render.helm(helm, release=release, values={"settings": {"source": {"group": group}}})
        return {one["metadata"]["name"] for one in of_kind(objects, "ConfigMap") if "group" in one["data"]}

    assert claims("one", "labels") & claims("two", "labels") == claims("one", "labels")
    assert claims("one", "labels").isdisjoint(claims("two", "other") - claims("two", "labels"))
    assert len(claims("one", "labels") & claims("two", "other")) == 1  # that of drift


@pytest.mark.parametrize(("owner", "is_refused"), [("other", True), ("labelstream", False)])
def test_another_release_of_a_group_is_named(helm, owner, is_refused, tmp_path, monkeypatch):
    """What a cluster would answer is written into a copy of the chart: rendering alone asks no cluster."""
    chart = shutil.copytree(CHART, tmp_path / "labelstream")
    checks = chart / "templates/_checks.tpl"
    asked = 'lookup "v1" "ConfigMap" $.Release.Namespace (include "labelstream.claim" $group)'
    answer = f'dict "metadata" (dict "annotations" (dict "meta.helm.sh/release-name" "{owner}"))'
    assert asked in checks.read_text()
    checks.write_text(checks.read_text().replace(asked, answer))
    monkeypatch.setattr(render, "CHART", chart)
    if not is_refused:
        assert render.helm(helm)
        return
    with pytest.raises(Refused) as refused:
        render.helm(helm)
    assert 'group "labelstream" already belongs to release "other"' in str(refused.value)
    assert "set settings.source.group to another name, or uninstall other" in str(refused.value)


def test_a_worker_that_is_off_claims_no_group(helm):
    objects = render.helm(helm, values=ALLOWED["no drift"])
    assert [one["metadata"]["name"] for one in of_kind(objects, "StatefulSet")] == ["labelstream-classify"]
    assert len([one for one in of_kind(objects, "ConfigMap") if "group" in one["data"]]) == 1


def test_the_notes_name_what_to_do_next():
    """Only newer Helms show them without a cluster."""
    conftest.needs("helm-4.1")
    command = [PROGRAMS / "helm-4.1", "install", "labelstream", CHART, "--namespace", "text", "--dry-run=client"]
    notes = run([*command, "--values", CHART / "values/prod.yaml"]).split("NOTES:")[1]
    for secret in ("labelstream-kafka-ca", "labelstream-classify", "labelstream-drift", "labelstream-s3"):
        assert secret in notes.split("until these Secrets exist")[1].split("\n")[0]
    assert "input topics must exist: messages." in notes
    assert "helm test labelstream --namespace text" in notes and "podMonitor" not in notes
    assert "podMonitor.enabled=true" in run(command).split("NOTES:")[1]
