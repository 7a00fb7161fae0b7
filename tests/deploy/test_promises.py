"""The manifests keep their promises, and a change that breaks one is noticed with a sentence that names it."""

import copy

import pytest

from promises import broken
from render import comparable, kustomize, named, of_kind


def test_every_promise_holds(objects):
    assert broken(objects) == []


def test_chart_and_kustomize_are_equal(helm, environment):
    from conftest import rendered

    ours, theirs = comparable(rendered("kustomize", environment)), comparable(rendered(helm, environment))
    assert sorted(ours) == sorted(theirs)
    for name, one in ours.items():
        assert one == theirs[name], name


def test_a_difference_of_chart_and_kustomize_is_noticed(helm):
    from conftest import rendered

    ours = comparable(rendered("kustomize", "prod"))
    changed = copy.deepcopy(rendered(helm, "prod"))
    pod(changed, "drift")["terminationGracePeriodSeconds"] = 60
    named(changed, "ServiceAccount", "labelstream")["metadata"]["labels"]["team"] = "text"
    config(changed)["data"]["labelstream.toml"] += "\n[batch]\nrecords_max = 1\n"
    theirs = comparable(changed)
    different = {name for name in ours if ours[name] != theirs[name]}
    assert different == {
        "StatefulSet/labelstream-drift",
        "ServiceAccount/labelstream",
        "ConfigMap/labelstream-settings",
    }


def workload(objects, worker):
    return named(objects, "StatefulSet", f"labelstream-{worker}")


def pod(objects, worker):
    return workload(objects, worker)["spec"]["template"]["spec"]


def container(objects, worker="classify"):
    return pod(objects, worker)["containers"][0]


def config(objects):
    return next(one for one in of_kind(objects, "ConfigMap") if "labelstream.toml" in one["data"])


def set_toml(old, new):
    def change(objects):
        data = config(objects)["data"]
        assert old in data["labelstream.toml"]
        data["labelstream.toml"] = data["labelstream.toml"].replace(old, new)

    return change


def at(find, *path, value=None, drop=False):
    """Sets or drops a member below what `find` returns."""

    def change(objects):
        inner = find(objects)
        for step in path[:-1]:
            inner = inner[step]
        if drop:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value

    return change


def drop_kind(kind, name):
    def change(objects):
        objects.remove(named(objects, kind, name))

    return change


def one(kind, name):
    return lambda objects: named(objects, kind, name)


def in_pod(*path, worker="classify", **change):
    return at(lambda objects: pod(objects, worker), *path, **change)


def in_container(*path, worker="classify", **change):
    return at(lambda objects: container(objects, worker), *path, **change)


def in_spec(*path, worker="classify", **change):
    return at(lambda objects: workload(objects, worker)["spec"], *path, **change)


CHANGES = [
    ("run.shutdown_grace_ms", in_pod("terminationGracePeriodSeconds", value=25)),
    ("run.shutdown_grace_ms", set_toml("shutdown_grace_ms = 25000", "shutdown_grace_ms = 60000")),
    ("runAsNonRoot", in_pod("securityContext", drop=True)),
    ("seccompProfile", in_pod("securityContext", "seccompProfile", "type", value="Unconfined")),
    ("65532", in_pod("securityContext", "runAsUser", value=0)),
    ("hostNetwork", in_pod("hostNetwork", value=True)),
    ("hostPath", in_pod("volumes", 0, value={"name": "settings", "hostPath": {"path": "/etc"}})),
    ("allowPrivilegeEscalation", in_container("securityContext", drop=True)),
    ("readOnlyRootFilesystem", in_container("securityContext", "readOnlyRootFilesystem", value=False)),
    ("capabilities", in_container("securityContext", "capabilities", value={"drop": ["ALL"], "add": ["SYS_ADMIN"]})),
    ("weaken", in_container("securityContext", "runAsUser", value=0, worker="drift")),
    ("hostPort", in_container("ports", 0, "hostPort", value=9464)),
    ("automountServiceAccountToken", in_pod("automountServiceAccountToken", drop=True)),
    ("ServiceAccount", at(one("ServiceAccount", "labelstream"), "automountServiceAccountToken", drop=True)),
    ("enableServiceLinks", in_pod("enableServiceLinks", drop=True)),
    ("LABELSTREAM__SOURCE__INSTANCE", in_container("env", 0, "name", value="LABELSTREAM_SOURCE_INSTANCE")),
    ("LABELSTREAM__SOURCE__INSTANCE", in_container("env", 0, value={"name": "A", "value": "labelstream-0"})),
    ("source.instance", set_toml('group = "labelstream"\n', 'group = "labelstream"\ninstance = "one"\n')),
    ("port http is 9465", in_container("ports", 0, "containerPort", value=9465)),
    ("LABELSTREAM__HTTP__LISTEN", in_container("env", 1, "value", value="127.0.0.1:9464")),
    ("livenessProbe", in_container("livenessProbe", "httpGet", "path", value="/ready")),
    ("readinessProbe", in_container("readinessProbe", "httpGet", "path", value="/health", worker="drift")),
    ("startupProbe", in_container("startupProbe", drop=True)),
    ("30 s to start", in_container("startupProbe", "failureThreshold", value=2)),
    ("first argument", in_container("args", 0, value="drift")),
    ("--config", in_container("args", 2, value="/etc/labelstream.toml")),
    ("ConfigMap that exists", lambda objects: objects.remove(config(objects))),
    ("nothing is mounted", set_toml("/run/secrets/kafka/user.crt", "/etc/kafka/user.crt")),
    ("is a secret", set_toml('security_protocol = "ssl"', 'security_protocol = "ssl"\nsasl_password = "x"')),
    ("image", in_container("image", value="ghcr.io/labelstream/labelstream:latest")),
    ("request and a limit", in_container("resources", "limits", "cpu", drop=True)),
    ("above its limit", in_container("resources", "requests", "memory", value="2Gi")),
    ("memory limit", in_container("resources", "limits", "cpu", value="8")),
    ("memory limit", in_container("resources", "limits", "memory", value="512Mi", worker="drift")),
    ("sizeLimit", lambda objects: pod(objects, "classify")["volumes"][-1].update(emptyDir={})),
    ("can be written", in_container("volumeMounts", drop=True, worker="drift")),
    ("outlives the pod", set_toml("s3://labelstream-prod-reports", "/var/lib/labelstream/reports")),
    ("Parallel", in_spec("podManagementPolicy", value="OrderedReady")),
    ("updateStrategy", in_spec("updateStrategy", value={"type": "OnDelete"})),
    ("minReadySeconds", in_spec("minReadySeconds", drop=True)),
    ("topologySpreadConstraints", in_pod("topologySpreadConstraints", 1, drop=True)),
    ("selector", in_spec("selector", "matchLabels", "app.kubernetes.io/component", value="drift")),
    ("headless Service", at(one("Service", "labelstream-drift"), "spec", "clusterIP", drop=True)),
    ("headless Service", drop_kind("Service", "labelstream-classify")),
    ("PodDisruptionBudget", drop_kind("PodDisruptionBudget", "labelstream-classify")),
    ("PodDisruptionBudget", at(one("PodDisruptionBudget", "labelstream-drift"), "spec", "maxUnavailable", value=0)),
    ("denies everything", drop_kind("NetworkPolicy", "labelstream-default-deny")),
    ("open [9093]", drop_kind("NetworkPolicy", "labelstream-kafka")),
    ("open [443]", drop_kind("NetworkPolicy", "labelstream-https")),
    ("open [53]", drop_kind("NetworkPolicy", "labelstream-dns")),
    ("whom the pods reach", at(one("NetworkPolicy", "labelstream-https"), "spec", "egress", 0, "to", drop=True)),
    ("Prometheus", drop_kind("NetworkPolicy", "labelstream-metrics")),
    ("minReplicaCount", at(one("ScaledObject", "labelstream-classify"), "spec", "minReplicaCount", value=0)),
    ("number of partitions", at(one("ScaledObject", "labelstream-classify"), "spec", "maxReplicaCount", value=13)),
    ("replicas of its own", in_spec("replicas", value=3)),
    ("watch source.group", set_toml('group = "labelstream"\n', 'group = "other"\n')),
    ("each of source.topics", set_toml('topics = ["messages"]', 'topics = ["messages", "mails"]')),
    ("ask kafka.brokers", set_toml("kafka-kafka-bootstrap.kafka.svc:9093", "kafka.kafka.svc:9093")),
    ("is missing", drop_kind("TriggerAuthentication", "labelstream-classify")),
    ("compacted", at(one("KafkaTopic", "messages-labeled-drift-state"), "spec", "config", value={})),
    ("each topic that is written", drop_kind("KafkaTopic", "messages-dead-letters")),
    ("create_topics", set_toml("create_topics = false", "create_topics = true")),
    ("Secret of a worker", drop_kind("KafkaUser", "labelstream-drift")),
    ("must be labelstream-2/", set_toml('group = "labelstream"\n', 'group = "labelstream-2"\n')),
    (
        "for everything",
        at(one("KafkaUser", "labelstream-drift"), "spec", "authorization", "acls", 0, "operations", value=["All"]),
    ),
    ("PodMonitor", at(one("PodMonitor", "labelstream"), "spec", "podMetricsEndpoints", 0, "path", value="/metric")),
    ("PodMonitor", at(one("PodMonitor", "labelstream"), "spec", "selector", "matchLabels", "app", value="x")),
    ("immutable", lambda objects: config(objects).pop("immutable")),
    ("never part of", lambda objects: objects.append({"kind": "Secret", "metadata": {"name": "x"}})),
    ("one namespace", at(one("Service", "labelstream-drift"), "metadata", "namespace", value="default")),
    ("restricted", at(one("Namespace", "labelstream-prod"), "metadata", "labels", value={})),
]


@pytest.mark.parametrize(
    ("said", "change"), CHANGES, ids=[f"{place}-{said}" for place, (said, _) in enumerate(CHANGES)]
)
def test_a_broken_promise_is_noticed(said, change):
    from conftest import rendered

    objects = copy.deepcopy(rendered("kustomize", "prod"))
    change(objects)
    found = broken(objects)
    assert any(said in sentence for sentence in found), found


def test_reports_on_a_volume_allow_one_replica():
    from conftest import rendered

    objects = copy.deepcopy(rendered("kustomize", "dev"))
    workload(objects, "drift")["spec"]["replicas"] = 2
    assert broken(objects) == ["labelstream-drift: reports on a volume allow one replica: each has its own volume"]


def test_a_change_of_the_settings_changes_their_name(tmp_path, monkeypatch):
    """So that it is a rolling update, and pods of the old revision keep theirs."""
    import shutil

    import render
    from conftest import needs, rendered

    needs("kubectl")
    shutil.copytree(render.ROOT / "k8s", tmp_path / "k8s")
    monkeypatch.setattr(render, "ROOT", tmp_path)
    file = tmp_path / "k8s/overlays/prod/labelstream.toml"
    file.write_text(file.read_text().replace("25000", "30000"))
    before, after = (
        config(objects)["metadata"]["name"] for objects in (rendered("kustomize", "prod"), kustomize("prod"))
    )
    assert before != after
    mounted = [
        volume["configMap"]["name"] for volume in pod(kustomize("prod"), "classify")["volumes"] if "configMap" in volume
    ]
    assert mounted == [after]
