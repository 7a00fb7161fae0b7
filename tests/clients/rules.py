"""Denies rights on a broker with an authorizer: a line "topic NAME write" in, "ok" out.

tests/src/rights.rs starts it through tools/kafka/kafka. It ends with its input.
"""

import os
import sys
import time

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional_id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
RIGHTS = {
    ("cluster", "write"): AclOperation.IDEMPOTENT_WRITE,
    "describe": AclOperation.DESCRIBE,
    "read": AclOperation.READ,
    "write": AclOperation.WRITE,
}
ANSWER_WITHIN = 30


def deny(admin: AdminClient, resource: str, name: str, right: str) -> None:
    """Adds the rule and waits until the broker itself knows it."""
    kind = RESOURCES[resource]
    operation = RIGHTS.get((resource, right)) or RIGHTS[right]
    named = "kafka-cluster" if resource == "cluster" else name
    common = (kind, named, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*")
    parts = (*common, operation, AclPermissionType.DENY)
    # Where any rule is found, what none allows is denied.
    rest = (*common, AclOperation.ALL, AclPermissionType.ALLOW)
    rules = [AclBinding(*rest), AclBinding(*parts)]
    for future in admin.create_acls(rules, request_timeout=ANSWER_WITHIN).values():
        future.result()
    until = time.monotonic() + ANSWER_WITHIN
    while not admin.describe_acls(AclBindingFilter(*parts), request_timeout=ANSWER_WITHIN).result():
        if time.monotonic() > until:
            raise TimeoutError(f"{resource} {name} {right}")
        time.sleep(0.05)


def main() -> None:
    address = os.environ["LABELSTREAM_TEST_KAFKA"]
    admin = AdminClient({"bootstrap.servers": address})
    print(address, flush=True)
    for line in sys.stdin:
        deny(admin, *line.split())
        print("ok", flush=True)


if __name__ == "__main__":
    main()
