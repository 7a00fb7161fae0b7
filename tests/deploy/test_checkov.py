"""checkov on all that is rendered. What it may find, each with the reason, is in EXCEPTIONS; all else fails.

An exception that no longer applies fails, too.
"""

import json
import subprocess
import sys

import pytest
import yaml

import conftest
from render import ENVIRONMENTS

# Check to the objects that may fail it, and why.
EXCEPTIONS = {
    "CKV_K8S_8": ("check", "the pod of `helm test` ends by itself: nothing to probe"),
    "CKV_K8S_9": ("check", "likewise"),
    "CKV_K8S_15": ("", "IfNotPresent: tags are versions and never move, and pods start while the registry is away"),
    "CKV_K8S_35": ("drift", "the report store's keys are variables: S3 clients read them nowhere else"),
    "CKV_K8S_43": ("", "a digest is known only once the image is pushed; image.digest sets it"),
}
WEAK = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "weak", "namespace": "weak"},
    "spec": {"containers": [{"name": "weak", "image": "weak:latest", "securityContext": {"privileged": True}}]},
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Check to the objects that failed it, of every environment and a weak pod, in one run: most of it is starting.

    Chart and kustomize are equal, and the chart has the test's pod as well.
    """
    folder = tmp_path_factory.mktemp("checkov")
    objects = [one for environment in ENVIRONMENTS for one in conftest.rendered("helm-4.1", environment)]
    (folder / "rendered.yaml").write_text(yaml.safe_dump_all([*objects, WEAK]))
    command = [sys.executable, "-m", "checkov.main", "--directory", str(folder), "--framework", "kubernetes"]
    command += ["--output", "json", "--quiet", "--compact", "--soft-fail"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    checks = {}
    for check in json.loads(done.stdout)["results"]["failed_checks"]:
        checks.setdefault(check["check_id"], set()).add(check["resource"])
    return checks


def test_only_exceptions_are_found(failed):
    ours = {name: {one for one in resources if ".weak" not in one} for name, resources in failed.items()}
    ours = {name: resources for name, resources in ours.items() if resources}
    assert ours.keys() == EXCEPTIONS.keys(), {name: ours[name] for name in ours.keys() - EXCEPTIONS.keys()}
    for name, (allowed, _) in EXCEPTIONS.items():
        assert all(allowed in resource for resource in ours[name]), (name, ours[name])


def test_a_weak_pod_is_found(failed):
    for name in ("CKV_K8S_14", "CKV_K8S_16", "CKV_K8S_22"):  # the tag, privileged, the root file system
        assert any(".weak" in resource for resource in failed[name])
