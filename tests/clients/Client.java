// Apache Kafka's own Java client asks a broker a fixed list of questions.
// usage: java -cp '.tools/kafka/libs/*' tests/clients/Client.java ADDRESS PREFIX
// Prints one line per answer, without anything that may differ between two brokers that agree. tests/tests/clients.rs
// compares them. It differs from librdkafka where it counts: fetch sessions, incremental rebalances, its own transactions.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

class Client {
  static final Duration PATIENCE = Duration.ofSeconds(20);
  static final long NOON_MS = 1_700_000_000_000L; // any fixed moment
  static String address;
  static String prefix;

  public static void main(String[] arguments) throws Exception {
    address = arguments[0];
    prefix = arguments[1];
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
      topics(admin);
      records(admin);
      groups(admin);
      transactions();
    }
  }

  static void topics(Admin admin) throws Exception {
    var wanted = List.of(topic("plain", 1), topic("keyed", 3), topic("grouped", 4), topic("in", 1), topic("out", 1),
        topic("small", 1).configs(Map.of("retention.bytes", "123456")));
    answer("create", failure(admin.createTopics(wanted).all()));
    answer("create again", failure(admin.createTopics(wanted.subList(0, 1)).all()));
    answer("create with an unknown setting",
        failure(admin.createTopics(List.of(topic("odd", 1).configs(Map.of("no.such.setting", "1")))).all()));
    var described = admin.describeTopics(List.of(prefix + "keyed", prefix + "grouped")).allTopicNames().get();
    new TreeMap<>(described).forEach((name, topic) -> answer("described", plain(name) + " " + topic.partitions().size() + " partitions, replicas "
        + topic.partitions().get(0).replicas().size() + ", internal " + topic.isInternal()));
    answer("describe a missing topic", failure(admin.describeTopics(List.of(prefix + "none")).allTopicNames()));
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, prefix + "small");
    var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
    answer("setting", config.get("retention.bytes").value() + " " + config.get("cleanup.policy").value());
    answer("grow", failure(admin.createPartitions(Map.of(prefix + "small", NewPartitions.increaseTo(3))).all()));
    answer("shrink", failure(admin.createPartitions(Map.of(prefix + "small", NewPartitions.increaseTo(2))).all()));
    answer("delete", failure(admin.deleteTopics(List.of(prefix + "small")).all()));
    answer("nodes", admin.describeCluster().nodes().get().size());
  }

  static void records(Admin admin) throws Exception {
    for (var codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      try (var producer = producer(Map.of("compression.type", codec))) {
        var record = new ProducerRecord<>(prefix + "plain", 0, NOON_MS, "key", codec + " text".repeat(50));
        record.headers().add("codec", codec.getBytes()).add("again", new byte[] {1}).add("again", new byte[] {2}).add("null", null);
        var written = producer.send(record).get();
        answer("written", written.offset() + " " + (written.timestamp() - NOON_MS));
      }
    }
    try (var producer = producer(Map.of())) {
      producer.send(new ProducerRecord<String, String>(prefix + "plain", 0, NOON_MS + 1, null, null)).get();
      for (int number = 0; number < 30; number++) {
        producer.send(new ProducerRecord<>(prefix + "keyed", "key " + number, "" + number));
      }
    }
    for (var record : fromStart("plain", 1, 6, "read_committed")) {
      var headers = new ArrayList<String>();
      record.headers().forEach(header -> headers.add(header.key() + "=" + Arrays.toString(header.value())));
      answer("record", record.offset() + " " + (record.timestamp() - NOON_MS) + " " + record.key() + " " + length(record.value()) + " " + headers);
    }
    var spread = new TreeMap<Integer, List<String>>();
    for (var record : fromStart("keyed", 3, 30, "read_uncommitted")) {
      spread.computeIfAbsent(record.partition(), partition -> new ArrayList<>()).add(record.value());
    }
    answer("spread by key", spread);
    var partition = new TopicPartition(prefix + "plain", 0);
    for (var spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.forTimestamp(NOON_MS + 1))) {
      answer("offset", admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset());
    }
  }

  static void groups(Admin admin) throws Exception {
    try (var producer = producer(Map.of())) {
      for (int number = 0; number < 400; number++) {
        producer.send(new ProducerRecord<>(prefix + "grouped", number % 4, null, "" + number));
      }
    }
    for (var strategy : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
      var group = "group-" + strategy;
      var settings = Map.of("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + strategy);
      var first = consumer(group, settings);
      var second = consumer(group, settings);
      var members = List.of(first, second);
      var seen = new TreeSet<Integer>();
      members.forEach(member -> member.subscribe(List.of(prefix + "grouped")));
      until(() -> {
        members.forEach(member -> member.poll(Duration.ofMillis(50)).forEach(record -> seen.add(Integer.valueOf(record.value()))));
        return seen.size() == 400 && members.stream().allMatch(member -> member.assignment().size() == 2);
      });
      var described = admin.describeConsumerGroups(List.of(prefix + group)).all().get().get(prefix + group);
      answer(strategy + " described", described.groupState() + " " + described.members().size() + " " + described.partitionAssignor());
      for (var member : members) {
        var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
        member.assignment().forEach(owned -> offsets.put(owned, new OffsetAndMetadata(40 + owned.partition(), "note")));
        member.commitSync(offsets);
      }
      first.close();
      until(() -> {
        second.poll(Duration.ofMillis(50));
        return second.assignment().size() == 4;
      });
      second.close();
      var committed = admin.listConsumerGroupOffsets(prefix + group).partitionsToOffsetAndMetadata().get();
      committed.entrySet().stream().sorted(Comparator.comparing(entry -> entry.getKey().partition())).forEach(entry ->
          answer(strategy + " committed", entry.getKey().partition() + " " + entry.getValue().offset() + " " + entry.getValue().metadata()));
    }
    var listed = admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get();
    answer("listed", listed.stream().filter(listing -> listing.groupId().startsWith(prefix)).count());

    var statically = consumer("static", Map.of("group.instance.id", prefix + "one"));
    var usurper = consumer("static", Map.of("group.instance.id", prefix + "one"));
    join(statically);
    join(usurper);
    answer("a second static member of the same name", failure(() -> {
      until(() -> { statically.poll(Duration.ofMillis(100)); return false; });
    }));
    usurper.close();
    statically.close();
  }

  static void transactions() throws Exception {
    var source = new TopicPartition(prefix + "in", 0);
    var reader = consumer("transacting", Map.of());
    reader.subscribe(List.of(source.topic()));
    until(() -> { reader.poll(Duration.ofMillis(50)); return !reader.assignment().isEmpty(); });
    var worker = producer(Map.of("transactional.id", prefix + "worker"));
    worker.initTransactions();
    for (int turn = 0; turn < 3; turn++) {
      worker.beginTransaction();
      for (int number = 0; number < 2; number++) {
        worker.send(new ProducerRecord<>(prefix + "out", 0, null, "turn " + turn + " record " + number));
      }
      worker.flush(); // an abort would drop what was not yet sent
      worker.sendOffsetsToTransaction(Map.of(source, new OffsetAndMetadata(10 * (turn + 1))), reader.groupMetadata());
      if (turn == 1) worker.abortTransaction(); else worker.commitTransaction();
      answer("committed offset", reader.committed(Set.of(source)).get(source).offset());
    }
    for (var isolation : List.of("read_committed", "read_uncommitted")) {
      for (var record : fromStart("out", 1, isolation.equals("read_committed") ? 4 : 6, isolation)) {
        answer(isolation, record.offset() + " " + record.value());
      }
    }
    worker.beginTransaction();
    worker.send(new ProducerRecord<>(prefix + "out", 0, null, "left open")).get();
    answer("open: read_committed", fromStart("out", 1, 4, "read_committed").size());
    var successor = producer(Map.of("transactional.id", prefix + "worker"));
    successor.initTransactions();
    answer("fenced", failure(worker::commitTransaction));
    successor.beginTransaction();
    successor.send(new ProducerRecord<>(prefix + "out", 0, null, "successor"));
    successor.commitTransaction();
    answer("the successor writes", fromStart("out", 1, 5, "read_committed").get(4).value());

    var stale = reader.groupMetadata();
    reader.close();
    var other = consumer("transacting", Map.of());
    other.subscribe(List.of(source.topic()));
    until(() -> { other.poll(Duration.ofMillis(50)); return !other.assignment().isEmpty(); });
    successor.beginTransaction();
    answer("offsets of a past generation", failure(() -> {
      successor.sendOffsetsToTransaction(Map.of(source, new OffsetAndMetadata(3)), stale);
      successor.commitTransaction();
    }));
    successor.abortTransaction();
    answer("offset after it", other.committed(Set.of(source)).get(source).offset());
    other.close();
    worker.close(Duration.ZERO);
    successor.close();
  }

  interface Action { void run() throws Exception; }

  /** The class of the exception that an action ends in, or null. */
  static String failure(Action action) {
    try {
      action.run();
      return null;
    } catch (ExecutionException wrapped) {
      return wrapped.getCause().getClass().getSimpleName();
    } catch (Exception error) {
      return error.getClass().getSimpleName();
    }
  }

  static String failure(org.apache.kafka.common.KafkaFuture<?> future) {
    return failure(() -> future.get());
  }

  static void answer(String question, Object value) {
    System.out.println(question + ": " + value);
  }

  static String length(String value) {
    return value == null ? "null" : value.length() + " characters";
  }

  static String plain(String name) {
    return name.substring(prefix.length());
  }

  static NewTopic topic(String name, int partitions) {
    return new NewTopic(prefix + name, partitions, (short) 1);
  }

  static void until(BooleanSupplier done) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!done.getAsBoolean()) {
      if (System.nanoTime() > deadline) throw new IllegalStateException("nothing came of it in " + PATIENCE);
    }
  }

  static void join(KafkaConsumer<String, String> member) {
    member.subscribe(List.of(prefix + "grouped"));
    until(() -> { member.poll(Duration.ofMillis(50)); return !member.assignment().isEmpty(); });
  }

  static KafkaProducer<String, String> producer(Map<String, String> settings) {
    var all = new HashMap<String, Object>(Map.of("bootstrap.servers", address, "linger.ms", "0"));
    all.putAll(settings);
    return new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
  }

  static KafkaConsumer<String, String> consumer(String group, Map<String, String> settings) {
    var all = new HashMap<String, Object>(Map.of("bootstrap.servers", address, "group.id", prefix + group, "auto.offset.reset",
        "earliest", "isolation.level", "read_committed", "enable.auto.commit", "false", "session.timeout.ms", "6000", "heartbeat.interval.ms", "300"));
    all.putAll(settings);
    return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
  }

  /** Exactly `count` records, and proof that none follows at once. */
  static List<ConsumerRecord<String, String>> fromStart(String topic, int partitions, int count, String isolation) {
    try (var reader = consumer("from-start", Map.of("isolation.level", isolation))) {
      var assignment = new ArrayList<TopicPartition>();
      for (int partition = 0; partition < partitions; partition++) assignment.add(new TopicPartition(prefix + topic, partition));
      reader.assign(assignment);
      reader.seekToBeginning(assignment);
      var records = new ArrayList<ConsumerRecord<String, String>>();
      until(() -> { reader.poll(Duration.ofMillis(100)).forEach(records::add); return records.size() >= count; });
      reader.poll(Duration.ofMillis(300)).forEach(records::add);
      if (records.size() != count) throw new IllegalStateException(records.size() + " records instead of " + count);
      return records;
    }
  }
}
