"""confluent-kafka (librdkafka's Python client) asks a broker a fixed list of questions.

usage: confluent.py ADDRESS PREFIX

Prints one line per answer. Names begin with PREFIX, and nothing that may differ between two brokers that agree (names,
times, ids) is printed, so the lines of any two such brokers are equal. tests/tests/clients.rs compares them.
"""

import json
import sys
import time

from confluent_kafka import (OFFSET_BEGINNING, OFFSET_INVALID, Consumer, ConsumerGroupTopicPartitions, KafkaException,
                             Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

ADDRESS, PREFIX = sys.argv[1:3]
PATIENCE_S = 20
NOON_MS = 1_700_000_000_000  # any fixed moment
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def answer(question, value):
    print(question, json.dumps(value, sort_keys=True))


def failure(action):
    """The broker's name for what went wrong, or None."""
    try:
        action()
    except KafkaException as error:
        return error.args[0].name()
    return None


def producer(**settings):
    return Producer({"bootstrap.servers": ADDRESS, "linger.ms": 0, **{k.replace("_", "."): v for k, v in settings.items()}})


def consumer(group, **settings):
    return Consumer({"bootstrap.servers": ADDRESS, "group.id": PREFIX + group, "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
                     "fetch.wait.max.ms": 50, **{k.replace("_", "."): v for k, v in settings.items()}})


def drain(reader, count):
    """`count` messages, then proof that none follows at once."""
    messages = []
    while len(messages) < count:
        message = reader.poll(PATIENCE_S)
        assert message is not None, f"only {len(messages)} of {count} messages arrived"
        if message.error():
            raise KafkaException(message.error())
        messages.append(message)
    surplus = reader.poll(0.3)
    assert surplus is None, f"a message too many: {surplus.value()} {surplus.error()}"
    return messages


def from_start(topic, count, isolation="read_committed", partitions=1):
    reader = consumer("from-start", isolation_level=isolation)
    reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    messages = drain(reader, count)
    reader.close()
    return messages


def admin():
    client = AdminClient({"bootstrap.servers": ADDRESS})
    settle = lambda futures: {key.removeprefix(PREFIX): failure(future.result) for key, future in futures.items()}
    topics = {"plain": 1, "keyed": 3, "grouped": 4, "in": 1, "out": 1, "doomed": 2}
    wanted = [NewTopic(PREFIX + name, partitions, 1) for name, partitions in topics.items()]
    answer("create", settle(client.create_topics(wanted, operation_timeout=PATIENCE_S)))
    answer("create again", settle(client.create_topics(wanted[:1])))
    answer("create without partitions", settle(client.create_topics([NewTopic(PREFIX + "none", 0, 1)])))
    answer("create with three replicas", settle(client.create_topics([NewTopic(PREFIX + "three", 1, 3)])))
    answer("create with a bad name", settle(client.create_topics([NewTopic(PREFIX + "a b", 1, 1)])))
    answer("delete", settle(client.delete_topics([PREFIX + "doomed"], operation_timeout=PATIENCE_S)))
    answer("delete again", settle(client.delete_topics([PREFIX + "doomed"])))
    for _ in range(PATIENCE_S * 20):  # a deletion takes a moment to show
        listed = client.list_topics(timeout=PATIENCE_S)
        if PREFIX + "doomed" not in listed.topics:
            break
        time.sleep(0.05)
    answer("topics", {name.removeprefix(PREFIX): sorted(topic.partitions) for name, topic in listed.topics.items()
                      if name.startswith(PREFIX)})
    answer("nodes", [len(listed.brokers), listed.controller_id in listed.brokers])
    ends = client.list_offsets({TopicPartition(PREFIX + "plain", 0): OffsetSpec.latest()})
    answer("end of an empty topic", [future.result().offset for future in ends.values()])


def records():
    topic = PREFIX + "plain"
    for number, codec in enumerate(CODECS):
        writer = producer(compression_type=codec)
        for part in range(3):
            writer.produce(topic, f"{codec} {part} ".encode() * 50, key=f"key {part}", timestamp=NOON_MS + 1000 * number + part,
                           headers=[("codec", codec), ("again", b"1"), ("again", b"2"), ("null", None), ("bytes", b"\x00\xff")])
        answer(f"unsent with {codec}", writer.flush(PATIENCE_S))
    writer = producer(enable_idempotence=True)
    writer.produce(topic, None, key="tombstone", timestamp=NOON_MS + 10_000)
    writer.produce(topic, "no key", timestamp=NOON_MS + 10_001)
    writer.produce(topic, "", key="", timestamp=NOON_MS + 10_002)
    writer.produce(topic, b"x" * 900_000, key="large", timestamp=NOON_MS + 10_003)
    answer("unsent", writer.flush(PATIENCE_S))
    messages = from_start(topic, 3 * len(CODECS) + 4)
    for message in messages:
        value = message.value()
        answer("record", [message.offset(), message.timestamp()[1] - NOON_MS, str(message.key()), len(value or ""),
                          None if value is None else str(value[:9]), str(message.headers())])
    reader = consumer("times")
    answer("watermarks", reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=PATIENCE_S))
    for since in [0, 1001, 1002, 1003, 10_003, 10_004]:
        found = reader.offsets_for_times([TopicPartition(topic, 0, NOON_MS + since)], timeout=PATIENCE_S)
        answer(f"offset at {since}", [p.offset for p in found])
    reader.assign([TopicPartition(topic, 0, 7)])
    answer("from the middle of a batch", [m.offset() for m in drain(reader, 12)][:3])
    reader.assign([TopicPartition(topic, 0, 1000)])
    answer("out of range goes to", drain(reader, 19)[0].offset())
    reader.close()

    topic = PREFIX + "keyed"
    for number in range(30):
        writer.produce(topic, str(number), key=f"key {number}")
    writer.flush(PATIENCE_S)
    spread = {}
    for message in from_start(topic, 30, partitions=3):
        spread.setdefault(message.partition(), []).append(int(message.value()))
    answer("spread by key", spread)

    beyond = lambda: writer.produce(topic, "beyond", partition=9)
    answer("beyond the last partition", failure(beyond))


def groups():
    topic, client = PREFIX + "grouped", AdminClient({"bootstrap.servers": ADDRESS})
    writer = producer()
    for number in range(400):
        writer.produce(topic, str(number), partition=number % 4)
    writer.flush(PATIENCE_S)
    for strategy in ["range", "roundrobin", "cooperative-sticky"]:
        group = "group-" + strategy
        members = [consumer(group, partition_assignment_strategy=strategy) for _ in range(2)]
        for member in members:
            member.subscribe([topic])
        for _ in range(PATIENCE_S * 20):  # both must poll to take part
            messages = [member.poll(0.05) for member in members]
            if all(len(member.assignment()) == 2 for member in members):
                break
        answer(f"{strategy}: partitions of each", [len(member.assignment()) for member in members])
        owned = sorted(partition.partition for member in members for partition in member.assignment())
        answer(f"{strategy}: partitions of all", owned)
        for member in members:
            for partition in member.assignment():
                member.seek(TopicPartition(topic, partition.partition, 0))
        seen = sorted(int(message.value()) for member in members for message in drain(member, 200))
        answer(f"{strategy}: every record once", seen == list(range(400)))
        described = client.describe_consumer_groups([PREFIX + group])[PREFIX + group].result()
        answer(f"{strategy}: described", [described.state.name, described.partition_assignor, len(described.members)])
        for member in members:
            member.commit(offsets=[TopicPartition(topic, p.partition, 40 + p.partition) for p in member.assignment()],
                          asynchronous=False)
        members[0].close()
        survivor = members[1]
        for _ in range(PATIENCE_S * 20):
            survivor.poll(0.05)
            if len(survivor.assignment()) == 4:
                break
        answer(f"{strategy}: partitions of the survivor", len(survivor.assignment()))
        survivor.close()
        described = client.describe_consumer_groups([PREFIX + group])[PREFIX + group].result()
        answer(f"{strategy}: when all have left", [described.state.name, len(described.members)])

    group = PREFIX + "group-range"
    late = consumer("group-range")
    late.subscribe([topic])
    first = {}
    for message in drain(late, 400 - 40 - 41 - 42 - 43):
        first.setdefault(message.partition(), message.offset())
    answer("a late member starts at", first)
    late.close()
    offsets = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result().topic_partitions
    answer("committed", sorted([p.partition, p.offset] for p in offsets))
    ours = [listing.group_id for listing in client.list_consumer_groups().result().valid]
    answer("listed", group in ours)
    answer("delete group", failure(client.delete_consumer_groups([group])[group].result))
    answer("delete group again", failure(client.delete_consumer_groups([group])[group].result))


def transactions():
    source, target, group = PREFIX + "in", PREFIX + "out", PREFIX + "transacting"
    writer = producer()
    for number in range(20):
        writer.produce(source, str(number))
    writer.flush(PATIENCE_S)
    reader = consumer("transacting")
    reader.subscribe([source])
    drain(reader, 20)
    committed = lambda: [p.offset if p.offset != OFFSET_INVALID else None
                         for p in reader.committed([TopicPartition(source, 0)], timeout=PATIENCE_S)]

    worker = producer(transactional_id=PREFIX + "worker")
    worker.init_transactions(PATIENCE_S)

    def transact(values, offset, end):
        worker.begin_transaction()
        for value in values:
            worker.produce(target, value)
        worker.flush(PATIENCE_S)
        worker.send_offsets_to_transaction([TopicPartition(source, 0, offset)], reader.consumer_group_metadata(), PATIENCE_S)
        end(PATIENCE_S)

    transact(["a", "b"], 10, worker.commit_transaction)
    answer("committed offset", committed())
    transact(["c", "d"], 15, worker.abort_transaction)
    answer("offset after an abort", committed())
    transact(["e"], 20, worker.commit_transaction)
    answer("offset at the end", committed())

    shown = lambda isolation, count: [[m.offset(), m.value().decode()] for m in from_start(target, count, isolation)]
    answer("read_committed", shown("read_committed", 3))
    answer("read_uncommitted", shown("read_uncommitted", 5))

    worker.begin_transaction()
    worker.produce(target, "left open")
    worker.flush(PATIENCE_S)
    writer.produce(target, "after it")
    writer.flush(PATIENCE_S)
    answer("open: read_committed", shown("read_committed", 3))
    answer("open: read_uncommitted", len(shown("read_uncommitted", 7)))

    successor = producer(transactional_id=PREFIX + "worker")
    successor.init_transactions(PATIENCE_S)
    answer("fenced", failure(lambda: worker.commit_transaction(PATIENCE_S)))
    answer("after the fence", shown("read_committed", 4))
    successor.begin_transaction()
    successor.produce(target, "successor")
    successor.commit_transaction(PATIENCE_S)
    answer("the successor writes", shown("read_committed", 5))

    successor.begin_transaction()
    stale = reader.consumer_group_metadata()
    reader.close()
    other = consumer("transacting")
    other.subscribe([source])
    for _ in range(PATIENCE_S * 20):
        other.poll(0.05)
        if other.assignment():
            break
    successor.produce(target, "stale")
    successor.flush(PATIENCE_S)
    answer("offsets of a past generation",
           failure(lambda: successor.send_offsets_to_transaction([TopicPartition(source, 0, 3)], stale, PATIENCE_S)))
    successor.abort_transaction(PATIENCE_S)
    answer("nothing of it shows", len(shown("read_committed", 5)))
    other.close()


for part in [admin, records, groups, transactions]:
    part()
