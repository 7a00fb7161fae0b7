"""The rights of the KafkaUsers are enough for each worker, and each of them is needed: tried on Apache Kafka.

A broker with an authorizer denies everything that no rule allows, to everybody (without TLS all are User:ANONYMOUS).
Each worker gets the rules of its KafkaUser but one, and must fail; with all of them it works up to the end of its
topics.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

import conftest
from container import BINARY, PATIENCE, Container
from program import COMPACTED
from render import ROOT, named, of_kind

RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}
PATTERNS = {"literal": ResourcePatternType.LITERAL, "prefix": ResourcePatternType.PREFIXED}
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}
EVERYBODY = "User:ANONYMOUS"
RECORDS = 3


@pytest.fixture(scope="module")
def kafka():
    """The address of a broker of our own, which ends with the tests."""
    if not (BINARY.exists() and (ROOT / ".tools/kafka/libs").is_dir() and shutil.which("java")):
        pytest.skip("needs the program and Apache Kafka: tools/install java kafka")
    # Its address goes out; the end of its input ends it, and with it the broker.
    hold = "import os, sys; print(os.environ['LABELSTREAM_TEST_KAFKA'], flush=True); sys.stdin.read()"
    environment = {name: value for name, value in os.environ.items() if name != "LABELSTREAM_TEST_KAFKA"}
    process = subprocess.Popen(
        [ROOT / "tools/kafka/kafka", "with", sys.executable, "-c", hold],
        env={**environment, "KAFKA_ACLS": "1", "KAFKA_HEAP": "384m"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    address = process.stdout.readline().strip()
    assert address, "Apache Kafka did not start; its log is above"
    yield address
    process.stdin.close()
    process.wait()


@pytest.fixture(scope="module")
def locked(kafka):
    """A client that may create rules. Topics and records are there, and everything else is denied to everybody."""
    admin = AdminClient({"bootstrap.servers": kafka})
    topics = [NewTopic(name, 1, 1) for name in ("messages", "messages-labeled", "messages-dead-letters")]
    topics.append(NewTopic("messages-labeled-drift-state", 1, 1, config=COMPACTED))
    for future in admin.create_topics(topics).values():
        future.result()
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(RECORDS):
        producer.produce("messages", json.dumps({"text": f"Where is my card number {number}?"}))
    assert producer.flush(PATIENCE) == 0
    # The broker's own topics are there as well: it would create them at the first use, as everybody.
    Producer({"bootstrap.servers": kafka, "transactional.id": "first"}).init_transactions(PATIENCE)
    reader = Consumer({"bootstrap.servers": kafka, "group.id": "first"})
    while not has_coordinator(reader):
        time.sleep(0.1)
    # Where any rule is found, what none allows is denied.
    nobody = ("User:nobody", "*", AclOperation.ALL, AclPermissionType.ALLOW)
    rules = [AclBinding(kind, "*", ResourcePatternType.LITERAL, *nobody) for kind in RESOURCES.values()]
    # Rules may still be made, but neither topics nor idempotent producers without a right of their own.
    cluster = (ResourceType.BROKER, "kafka-cluster", ResourcePatternType.LITERAL, EVERYBODY, "*")
    # The broker itself is everybody, too: it forwards requests and writes the markers of transactions.
    for operation in (AclOperation.ALTER, AclOperation.CLUSTER_ACTION):
        rules.append(AclBinding(*cluster, operation, AclPermissionType.ALLOW))
    create(admin, rules)
    return admin


def has_coordinator(reader):
    try:
        return bool(reader.committed([TopicPartition("messages", 0)], PATIENCE))
    except KafkaException:
        return False  # the topic of offsets was only just created


def create(admin, rules):
    """Creates rules; they hold when this returns."""
    for future in admin.create_acls(rules).values():
        future.result()
    for rule in rules:
        while not admin.describe_acls(alone(rule)).result():
            time.sleep(0.05)


def forget(admin, rules):
    """Deletes rules; none of them holds when this returns."""
    for future in admin.delete_acls([alone(rule) for rule in rules]).values():
        future.result()
    for rule in rules:
        while admin.describe_acls(alone(rule)).result():
            time.sleep(0.05)


def alone(rule):
    """The filter that finds one rule."""
    which = (rule.restype, rule.name, rule.resource_pattern_type, rule.principal, rule.host)
    return AclBindingFilter(*which, rule.operation, rule.permission_type)


def rights(objects, worker):
    """Each right of a worker's KafkaUser, with what it is."""
    user = named(objects, "KafkaUser", f"labelstream-{worker}")
    return {
        f"{operation} on {rule['resource']['type']} {rule['resource']['name']}": AclBinding(
            RESOURCES[rule["resource"]["type"]],
            rule["resource"]["name"],
            PATTERNS[rule["resource"].get("patternType", "literal")],
            EVERYBODY,
            "*",
            OPERATIONS[operation],
            AclPermissionType.ALLOW,
        )
        for rule in user["spec"]["authorization"]["acls"]
        for operation in rule["operations"]
    }


def work(worker, kafka, folder):
    """What the worker returns and writes when it reads to the end with the settings of the manifests."""
    objects = conftest.rendered("kustomize", "prod")
    workload = named(objects, "StatefulSet", f"labelstream-{worker}")

    def plain(text):
        kept = [line for line in text.splitlines() if not line.startswith(("ssl_", "security_protocol", "region"))]
        return "\n".join(kept).replace("s3://labelstream-prod-reports", "/var/lib/labelstream/reports")

    container = Container(workload, objects, folder, folder, plain, brokers=kafka)
    container.container = {**container.container, "args": [*container.container["args"], "--until-end"]}
    with container.started() as process:
        code = process.wait(timeout=PATIENCE)
    return code, container.log()


def test_the_rights_are_enough_and_each_is_needed(kafka, locked, tmp_path):
    objects = conftest.rendered("kustomize", "prod")
    assert len(of_kind(objects, "KafkaUser")) == 2
    for worker, counted in (("classify", "labeled"), ("drift", "records")):
        # The right that is a comfort comes last: without it the records are worked off.
        given = dict(sorted(rights(objects, worker).items(), key=lambda one: "DescribeConfigs" in one[0]))
        create(locked, list(given.values()))
        unneeded, done = [], 0
        for place, (name, right) in enumerate([*given.items(), ("nothing", None)]):
            if right:
                forget(locked, [right])
            folder = tmp_path / f"{worker}-{place}"
            folder.mkdir()
            code, log = work(worker, kafka, folder)
            if code == 0:
                unneeded.append(name)
                done += int(re.search(rf'"stopped",.*"{counted}":"?(\d+)', log).group(1))
            if right:
                create(locked, [right])
        # Without DescribeConfigs a worker cannot tell beforehand what a topic would refuse.
        assert [name for name in unneeded if "DescribeConfigs" not in name] == ["nothing"]
        assert done == RECORDS
        forget(locked, list(given.values()))
