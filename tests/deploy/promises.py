"""What the manifests promise, and which of it a set of objects breaks.

`broken` returns a sentence for each broken promise, which names the object and what to change. The promises hold the
objects against each other (a budget selects its pods), against the settings in them (a pod's grace is longer than the
program's), and against the program's own sources (ports and paths).
"""

import re

from program import COMPACTED, PATHS, PORTS, VERSION, default
from render import named, of_kind, settings

USER = 65532
# Seconds that are left to the kubelet and to the exit itself, beside run.shutdown_grace_ms.
GRACE_BESIDE = 5
# Pod Security Standard "restricted": the kinds of volumes a pod may have.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECRETS = "/run/secrets/"
DATA = "/var/lib/labelstream"
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "m": 1e-3}


def broken(objects):
    """A sentence for each promise that does not hold; none when all is well."""
    found = []
    for workload in of_kind(objects, "StatefulSet"):
        worker = workload["metadata"]["labels"].get("app.kubernetes.io/component")
        if worker not in PORTS:
            found.append(f"{workload['metadata']['name']}: its component must be one of {sorted(PORTS)}")
            continue
        for promise in (restricted, isolated, stops, is_itself, answers, is_configured, is_sized, keeps, updates):
            found += [f"{workload['metadata']['name']}: {said}" for said in promise(workload, worker, objects)]
        found += [f"{workload['metadata']['name']}: {said}" for said in surrounded(workload, objects)]
    for promise in (network, scaling, topics_and_users, monitored, immutable, one_namespace):
        found += promise(objects)
    return found


def pod(workload):
    return workload["spec"]["template"]["spec"]


def container(workload):
    return pod(workload)["containers"][0]


def restricted(workload, _worker, _objects):
    """Pod Security Standard "restricted", in full."""
    own, shared = pod(workload), pod(workload).get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if own.get(name):
            yield f"{name} is forbidden"
    if not shared.get("runAsNonRoot"):
        yield "securityContext.runAsNonRoot must be true"
    if shared.get("runAsUser") != USER or shared.get("runAsGroup") != USER:
        yield f"securityContext must run as user and group {USER}, the image's"
    if shared.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "securityContext.seccompProfile must be RuntimeDefault"
    for volume in own.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume['name']} is of a kind that is forbidden: {sorted(kinds)}"
    for one in own["containers"] + own.get("initContainers", []):
        mine = one.get("securityContext", {})
        if mine.get("allowPrivilegeEscalation") is not False:
            yield "allowPrivilegeEscalation must be false"
        if mine.get("privileged"):
            yield "privileged is forbidden"
        if mine.get("capabilities") != {"drop": ["ALL"]}:
            yield "capabilities must drop ALL and add none"
        if any(
            mine.get(name) not in (None, shared.get(name)) for name in ("runAsNonRoot", "runAsUser", "seccompProfile")
        ):
            yield "the container must not weaken the pod's securityContext"
        if any("hostPort" in port for port in one.get("ports", [])):
            yield "hostPort is forbidden"


def isolated(workload, _worker, objects):
    """More than "restricted" asks for."""
    own = pod(workload)
    if container(workload).get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem must be true"
    account = named(objects, "ServiceAccount", own.get("serviceAccountName"))
    if account is None or account.get("automountServiceAccountToken") is not False:
        yield "its ServiceAccount must exist and have no token"
    if own.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken must be false"
    if own.get("enableServiceLinks") is not False:
        yield "enableServiceLinks must be false: other services' variables look like settings"


def stops(workload, _worker, objects):
    grace = pod(workload).get("terminationGracePeriodSeconds", 30)
    needed = setting(objects, "run", "shutdown_grace_ms") / 1000 + GRACE_BESIDE
    if grace < needed:
        yield f"terminationGracePeriodSeconds is {grace}, and run.shutdown_grace_ms needs {needed:g}"


def is_itself(workload, _worker, objects):
    """The pod's name is the member's, and a stable one."""
    variables = {one["name"]: one for one in container(workload).get("env", [])}
    instance = variables.get("LABELSTREAM__SOURCE__INSTANCE", {}).get("valueFrom", {})
    if instance.get("fieldRef", {}).get("fieldPath") != "metadata.name":
        yield "LABELSTREAM__SOURCE__INSTANCE must be the pod's name"
    if "instance" in settings(objects).get("source", {}):
        yield "source.instance in the settings would be the same for all pods"
    if workload["kind"] != "StatefulSet":
        yield "it must be a StatefulSet: other pods have no stable names"


def answers(workload, worker, _objects):
    one = container(workload)
    ports = {port["name"]: port["containerPort"] for port in one.get("ports", [])}
    port = ports.get("http")
    listen = next((own["value"] for own in one.get("env", []) if own["name"] == "LABELSTREAM__HTTP__LISTEN"), "")
    if port != PORTS[worker]:
        yield f"port http is {port}, and {worker} has {PORTS[worker]}"
    if listen != f"0.0.0.0:{port}":
        yield f"LABELSTREAM__HTTP__LISTEN is {listen!r}, and must be all addresses at port {port}"
    for probe, path in (("startupProbe", "/health"), ("livenessProbe", "/health"), ("readinessProbe", "/ready")):
        asked = one.get(probe, {}).get("httpGet", {})
        if asked.get("path") != path or path not in PATHS or asked.get("port") not in ("http", port):
            yield f"{probe} must ask {path} at port http"
    start = one.get("startupProbe", {})
    if start.get("periodSeconds", 10) * start.get("failureThreshold", 3) < 30:
        yield "startupProbe must leave the process 30 s to start"


def is_configured(workload, worker, objects):
    one, own = container(workload), pod(workload)
    mounts = {mount["name"]: mount["mountPath"] for mount in one.get("volumeMounts", [])}
    volumes = {volume["name"]: volume for volume in own.get("volumes", [])}
    arguments = one.get("args", [])
    if arguments[:1] != [worker]:
        yield f"its first argument must be {worker}"
    file = arguments[arguments.index("--config") + 1] if "--config" in arguments else ""
    source = next((volumes.get(name, {}) for name, path in mounts.items() if file == f"{path}/labelstream.toml"), {})
    config = named(objects, "ConfigMap", source.get("configMap", {}).get("name"))
    if config is None or "labelstream.toml" not in config["data"]:
        yield f"--config {file} must be in a ConfigMap that exists and is mounted"
    for key, value in settings(objects).get("kafka", {}).items():
        if key.endswith("_file") and not any(value.startswith(path + "/") for path in mounts.values()):
            yield f"kafka.{key} is {value}, where nothing is mounted"
        if key in ("sasl_password", "ssl_private_key_password"):
            yield f"kafka.{key} is a secret and must not be in a ConfigMap"
    for name, volume in volumes.items():
        if "secret" in volume and not mounts.get(name, "").startswith(SECRETS):
            yield f"Secret volume {name} must be mounted below {SECRETS}"
    image = one["image"]
    if "@sha256:" not in image and not image.endswith(f":{VERSION}"):
        yield f"image {image} must have a digest or the tag {VERSION}"


def is_sized(workload, worker, objects):
    resources = container(workload).get("resources", {})
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    if not {"cpu", "memory"} <= set(requests) & set(limits):
        yield "cpu and memory need a request and a limit: the CPU limit decides the number of sessions"
        return
    if amount(requests["memory"]) > amount(limits["memory"]) or amount(requests["cpu"]) > amount(limits["cpu"]):
        yield "a request is above its limit"
    if worker == "classify":
        # 220-230 MB with two sessions, 65-70 MB each (README, ARCHITECTURE.md), and half as much again.
        sessions = setting(objects, "model", "sessions") or max(1, int(amount(limits["cpu"])))
        needed = 1.5 * (90e6 + 70e6 * sessions)
    else:
        needed = setting(objects, "state", "bytes_max") + 256 * 2**20
    if amount(limits["memory"]) < needed:
        yield f"memory limit {limits['memory']} is below the {needed / 2**20:.0f}Mi that its settings may need"


def keeps(workload, worker, objects):
    """Reports outlive the pod, and nothing is written to the image."""
    mounts = {mount["name"]: mount["mountPath"] for mount in container(workload).get("volumeMounts", [])}
    claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    empty = {volume["name"] for volume in pod(workload).get("volumes", []) if "emptyDir" in volume}
    data = next((name for name, path in mounts.items() if path == DATA), None)
    if data not in claims | empty:
        yield f"{DATA} must be a volume that can be written to"
    if any(
        "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"] for volume in pod(workload).get("volumes", [])
    ):
        yield "an emptyDir needs a sizeLimit, or one pod fills its node"
    url = settings(objects).get("reports", {}).get("url", "./labelstream-data")
    if worker == "drift" and not url.startswith("s3://"):
        if data not in claims or not url.startswith(DATA + "/"):
            yield f"reports.url is {url}, which must be on a volume that outlives the pod"
        if workload["spec"].get("replicas", 1) != 1:
            yield "reports on a volume allow one replica: each has its own volume"


def updates(workload, _worker, _objects):
    spec = workload["spec"]
    if spec.get("podManagementPolicy") != "Parallel":
        yield "podManagementPolicy must be Parallel, or a broken update cannot be undone without deleting its pod"
    if spec.get("updateStrategy", {}).get("type", "RollingUpdate") != "RollingUpdate":
        yield "updateStrategy must be RollingUpdate"
    if spec.get("minReadySeconds", 0) < 1:
        yield "minReadySeconds must be at least 1: a pod that fails right after it is ready must stop an update"
    keys = {one.get("topologyKey") for one in pod(workload).get("topologySpreadConstraints", [])}
    if not {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} <= keys:
        yield "topologySpreadConstraints must spread it over nodes and zones"


def surrounded(workload, objects):
    """The headless Service, the budget and the spread select these pods and no others."""
    labels = workload["spec"]["template"]["metadata"]["labels"]
    if workload["spec"]["selector"]["matchLabels"] != labels:
        yield "its selector must be its pods' labels"
    service = named(objects, "Service", workload["spec"].get("serviceName"))
    if service is None or service["spec"].get("clusterIP") != "None" or service["spec"].get("selector") != labels:
        yield "its headless Service must exist and select its pods"
    budgets = [
        one for one in of_kind(objects, "PodDisruptionBudget") if one["spec"]["selector"].get("matchLabels") == labels
    ]
    if [one["spec"].get("maxUnavailable") for one in budgets] != [1]:
        yield "one PodDisruptionBudget must select its pods, with maxUnavailable 1"
    for one in pod(workload).get("topologySpreadConstraints", []):
        if one["labelSelector"].get("matchLabels") != labels:
            yield "topologySpreadConstraints must count its own pods"


def network(objects):
    policies = of_kind(objects, "NetworkPolicy")
    for workload in of_kind(objects, "StatefulSet"):
        name, labels = workload["metadata"]["name"], workload["spec"]["template"]["metadata"]["labels"]
        own = [one["spec"] for one in policies if selects(one["spec"]["podSelector"], labels)]
        denied = [one for one in own if not one.get("ingress") and not one.get("egress")]
        if {kind for one in denied for kind in one["policyTypes"]} != {"Ingress", "Egress"}:
            yield f"{name}: no NetworkPolicy denies everything else"
        rules = [rule for one in own for rule in one.get("egress", [])]
        if not all(rule.get("to") and rule.get("ports") for rule in rules):
            yield f"{name}: a NetworkPolicy must name whom the pods reach and at which port"
        open_ports = {port.get("port") for rule in rules for port in rule.get("ports", [])}
        needed = {int(broker.rsplit(":", 1)[1]) for broker in setting(objects, "kafka", "brokers")} | {53}
        if settings(objects).get("reports", {}).get("url", "").startswith("s3://"):
            needed.add(443)
        if not needed <= open_ports:
            yield f"{name}: NetworkPolicies must open {sorted(needed - open_ports)}"
        asked = {port.get("port") for one in own for rule in one.get("ingress", []) for port in rule.get("ports", [])}
        if asked != {"http"}:
            yield f"{name}: a NetworkPolicy must let Prometheus in at port http, and nobody else"


def scaling(objects):
    for one in of_kind(objects, "ScaledObject"):
        spec, name = one["spec"], one["metadata"]["name"]
        target = named(objects, spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
        if target is None or "replicas" in target["spec"]:
            yield f"{name}: its target must exist, without replicas of its own"
        if spec.get("minReplicaCount", 0) < 1:
            yield f"{name}: minReplicaCount must be at least 1, because lag never reaches zero"
        partitions = [topic["spec"]["partitions"] for topic in of_kind(objects, "KafkaTopic")]
        if partitions and spec["maxReplicaCount"] > max(partitions):
            yield f"{name}: maxReplicaCount {spec['maxReplicaCount']} is above the number of partitions"
        watched = [trigger["metadata"] for trigger in spec["triggers"]]
        if {one["consumerGroup"] for one in watched} != {setting(objects, "source", "group")}:
            yield f"{name}: its triggers must watch source.group"
        if [one["topic"] for one in watched] != setting(objects, "source", "topics"):
            yield f"{name}: it needs a trigger for each of source.topics"
        if any(one["bootstrapServers"] != ",".join(setting(objects, "kafka", "brokers")) for one in watched):
            yield f"{name}: its triggers must ask kafka.brokers"
        for trigger in spec["triggers"]:
            reference = trigger.get("authenticationRef", {}).get("name")
            if reference and named(objects, "TriggerAuthentication", reference) is None:
                yield f"{name}: TriggerAuthentication {reference} is missing"


def topics_and_users(objects):
    users = of_kind(objects, "KafkaUser")
    if not users:
        return
    topics = {one["metadata"]["name"]: one["spec"] for one in of_kind(objects, "KafkaTopic")}
    output = setting(objects, "sink", "output_topic")
    state = settings(objects).get("state", {}).get("topic", f"{output}-drift-state")
    if set(topics) != {output, setting(objects, "sink", "dead_letter_topic"), state}:
        yield "KafkaTopic: there must be one for each topic that is written, and no other"
    elif not COMPACTED.items() <= {name: str(value) for name, value in topics[state]["config"].items()}.items():
        yield f"KafkaTopic {state}: it must be compacted as the program creates it: {COMPACTED}"
    if setting(objects, "sink", "create_topics") or setting(objects, "state", "create_topic"):
        yield "KafkaTopic: sink.create_topics and state.create_topic must be false where topics are managed"
    mounted = {
        volume["secret"]["secretName"]
        for workload in of_kind(objects, "StatefulSet")
        for volume in pod(workload)["volumes"]
        if volume["name"] == "kafka"
    }
    if {one["metadata"]["name"] for one in users} != mounted:
        yield f"KafkaUser: each names the Secret of a worker, {sorted(mounted)}"
    for one in users:
        if one["metadata"]["name"] in mounted:
            yield from least(one, objects)


def least(user, objects):
    """Only what was tried on a broker: see test_rights.py."""
    name = user["metadata"]["name"]
    worker = next(
        workload["metadata"]["labels"]["app.kubernetes.io/component"]
        for workload in of_kind(objects, "StatefulSet")
        if any(volume.get("secret", {}).get("secretName") == name for volume in pod(workload)["volumes"])
    )
    section = {"classify": "source", "drift": "drift"}[worker]
    group = setting(objects, section, "group")
    for rule in user["spec"]["authorization"]["acls"]:
        resource = rule["resource"]
        if "All" in rule["operations"] or resource["name"] == "*":
            yield f"KafkaUser {name}: no right may be for everything"
        expected = {"group": group, "transactionalId": f"{group}/"}.get(resource["type"], resource["name"])
        if resource["name"] != expected:
            yield f"KafkaUser {name}: {resource['type']} {resource['name']} must be {expected}"


def monitored(objects):
    for one in of_kind(objects, "PodMonitor"):
        for workload in of_kind(objects, "StatefulSet"):
            if not selects(one["spec"]["selector"], workload["spec"]["template"]["metadata"]["labels"]):
                yield f"PodMonitor: it must select the pods of {workload['metadata']['name']}"
        for endpoint in one["spec"]["podMetricsEndpoints"]:
            if endpoint.get("port") != "http" or endpoint.get("path") not in PATHS:
                yield "PodMonitor: it must ask /metrics at port http"


def immutable(objects):
    for one in of_kind(objects, "ConfigMap"):
        if "labelstream.toml" in one["data"] and one.get("immutable") is not True:
            yield f"ConfigMap {one['metadata']['name']}: it must be immutable: pods of the old revision restart with it"
    if of_kind(objects, "Secret"):
        yield "Secrets are named and never part of the manifests"


def one_namespace(objects):
    spaces = {one["metadata"].get("namespace") for one in objects if one["kind"] != "Namespace"}
    if len(spaces) != 1:
        yield f"all objects belong in one namespace, found {sorted(map(str, spaces))}"
    for one in of_kind(objects, "Namespace"):
        if one["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"Namespace {one['metadata']['name']}: it must enforce the Pod Security Standard restricted"


def setting(objects, section, key):
    """As the program reads it: what is written, else its default."""
    value = settings(objects).get(section, {}).get(key)
    return default(section, key) if value is None else value


def selects(selector, labels):
    return selector.get("matchLabels", {}).items() <= labels.items()


def amount(quantity):
    """Kubernetes quantities: 500m, 2, 512Mi."""
    number, unit = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", str(quantity)).groups()
    return float(number) * UNITS.get(unit, 1)
