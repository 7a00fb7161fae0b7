"""Renders what a cluster would get: the overlays of k8s/ by kustomize, the chart by Helm.

Both become lists of objects. Nothing here judges them: promises.py does.
"""

import copy
import os
import re
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".tools/deploy/programs"
CHART = ROOT / "charts/labelstream"
ENVIRONMENTS = ["dev", "staging", "prod"]
# The oldest that still understands the chart, and the newest.
HELMS = ["helm-3.6", "helm-4.1"]
KUBERNETES = "v1.34.0"

HASH = re.compile(r"^(.*-settings)-[0-9a-z]{10}$")
# What only Helm writes, and says nothing of what runs.
HELM_LABELS = {"app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"}
HELM_ANNOTATIONS = {"helm.sh/resource-policy"}


class Refused(Exception):
    """Helm or kustomize renders nothing; the text is what a person reads."""


def kustomize(environment):
    """The objects of an overlay."""
    return parse(run([PROGRAMS / "kubectl", "kustomize", ROOT / "k8s/overlays" / environment]))


def helm(program, *arguments, values=None, release="labelstream", namespace="labelstream"):
    """The objects of the chart; `values` are given as a file would be."""
    command = [PROGRAMS / program, "template", release, CHART, "--namespace", namespace, "--kube-version", KUBERNETES]
    command += arguments
    if values is not None:
        command += ["--values", "-"]
    return parse(run(command, given=yaml.safe_dump(values) if values is not None else None))


def chart(program, environment):
    """The objects of the chart with the values of an environment."""
    return helm(program, "--values", CHART / f"values/{environment}.yaml", namespace=f"labelstream-{environment}")


def run(command, given=None):
    """Standard output of a command, run without the settings of whoever runs the tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
    done = subprocess.run([str(part) for part in command], input=given, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise Refused(done.stderr)
    return done.stdout


def parse(text):
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def named(objects, kind, name):
    """The one object of that kind and name, or None."""
    return next((one for one in of_kind(objects, kind) if one["metadata"]["name"] == name), None)


def settings(objects):
    """labelstream.toml, read; the group claims of the chart are other ConfigMaps. Without one the defaults hold."""
    files = [
        one["data"]["labelstream.toml"] for one in of_kind(objects, "ConfigMap") if "labelstream.toml" in one["data"]
    ]
    return tomllib.loads(files[0]) if files else {}


def is_only_in_the_chart(one):
    """The pod of `helm test`, and what keeps a group for one release: kustomize has neither hooks nor releases."""
    annotations = one["metadata"].get("annotations", {})
    is_claim = one["kind"] == "ConfigMap" and "group" in one["data"]
    return "helm.sh/hook" in annotations or is_claim


def comparable(objects):
    """By kind and name, without what only Helm or only kustomize writes, settings as they are read."""
    found = {}
    for original in objects:
        if original["kind"] == "Namespace" or is_only_in_the_chart(original):
            continue
        one = without_order(without_hashes(copy.deepcopy(original)))
        metadata = one["metadata"]
        for member, dropped in (("labels", HELM_LABELS), ("annotations", HELM_ANNOTATIONS)):
            kept = {name: value for name, value in metadata.pop(member, {}).items() if name not in dropped}
            if kept:
                metadata[member] = kept
        if one["kind"] == "ConfigMap":
            one["data"] = {name: tomllib.loads(text) for name, text in one["data"].items()}
        found[f"{one['kind']}/{metadata['name']}"] = one
    return found


def without_hashes(value):
    """The same with names of settings as they were before a hash of the content was added."""
    if isinstance(value, dict):
        return {name: without_hashes(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_hashes(inner) for inner in value]
    hashed = HASH.match(value) if isinstance(value, str) else None
    return hashed.group(1) if hashed else value


def without_order(value):
    """The same with volumes and their mounts sorted: kustomize adds before what is there, the chart after it."""
    if isinstance(value, dict):
        sort = {"volumes", "volumeMounts"}
        return {
            name: sorted(inner, key=lambda one: one["name"]) if name in sort else without_order(inner)
            for name, inner in value.items()
        }
    return [without_order(inner) for inner in value] if isinstance(value, list) else value
