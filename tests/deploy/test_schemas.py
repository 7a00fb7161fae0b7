"""Every object is what the Kubernetes API and the operators' own resources accept, unknown fields refused."""

import copy
import functools
import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from render import ROOT, of_kind

# The oldest and the newest that the chart is meant for, and the one that its checks on a real control plane use.
VERSIONS = ["1.27", "1.34", "1.37"]
SCHEMAS = ROOT / ".tools/deploy/schemas"
CUSTOM = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "KafkaTopic", "KafkaUser"}


@functools.cache
def of_crds():
    """Kind to schema, out of the operators' CustomResourceDefinitions."""
    found = {}
    for file in sorted(SCHEMAS.glob("*.yaml")):
        definition = yaml.safe_load(file.read_text())
        version = next(one for one in definition["spec"]["versions"] if one["storage"])
        schema = closed(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {}  # the API server checks it by itself
        found[definition["spec"]["names"]["kind"]] = schema
    return found


def of_strimzi():
    schemas = json.loads((Path(__file__).parent / "strimzi.json").read_text())
    return {kind: schema for kind, schema in schemas.items() if kind.startswith("Kafka")}


def closed(schema):
    """The same without unknown members, as strict validation of the API server has it."""
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed_member(name, value) for name, value in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("anyOf", None)
        schema["type"] = ["integer", "string"]
    elif "properties" in schema and not is_open:
        schema["additionalProperties"] = False
    return schema


def closed_member(name, value):
    if name == "properties":
        return {inner: closed(one) for inner, one in value.items()}
    return closed(value) if name in ("items", "additionalProperties") else value


def mistakes(one):
    """What the schema of a custom resource says."""
    kind = one["kind"]
    schema = {**of_strimzi(), **of_crds()}.get(kind)
    if schema is None:
        pytest.skip(f"the schema of {kind} is not installed: tools/install deploy, which needs go")
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(one)]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_accepts_every_object(objects, version):
    checked = [one for one in objects if one["kind"] not in CUSTOM]
    assert checked
    for one in checked:
        kubernetes_validate.validate(one, version, strict=True)


def test_operators_accept_their_resources(objects, environment):
    checked = [one for one in objects if one["kind"] in CUSTOM]
    assert bool(checked) == (environment != "dev")
    for one in checked:
        assert mistakes(one) == [], f"{one['kind']} {one['metadata']['name']}"


def mutate(objects, kind, path, value):
    one = copy.deepcopy(of_kind(objects, kind)[0])
    inner = one
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return one


def test_kubernetes_refuses_unknown_fields(objects):
    wrong = mutate(objects, "StatefulSet", ["spec", "template", "spec", "terminationGracePeriod"], 30)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("ScaledObject", ["spec", "minReplicas"], 1),
        ("ScaledObject", ["spec", "triggers", 0, "metadata", "lagThreshold"], 100),
        ("PodMonitor", ["spec", "podMetricsEndpoints", 0, "intervall"], "30s"),
        ("PodMonitor", ["spec", "podMetricsEndpoints", 0, "interval"], "soon"),
        ("TriggerAuthentication", ["spec", "secretTargetRef", 0, "secret"], "x"),
        ("KafkaTopic", ["spec", "partitions"], "12"),
        ("KafkaUser", ["spec", "authorization", "acls", 0, "operations"], ["read"]),
        ("KafkaUser", ["spec", "authorization", "acls", 0, "operation"], "Read"),
    ],
)
@pytest.mark.parametrize("environment", ["prod"], indirect=True)
def test_operators_refuse_what_is_wrong(objects, kind, path, value):
    assert mistakes(mutate(objects, kind, path, value))
