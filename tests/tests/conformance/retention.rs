//! Retention by age: by the records' own time, whole segments at a time, the newest one included.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::Consumer;
use rdkafka::producer::{BaseRecord, Producer};
use tests::names::unique;
use tests::records::{create_topic_with, read_committed};

use crate::clients::{PATIENCE, consumer, producer};
use crate::on_each_broker;

const DAY_MS: i64 = 86_400_000;
/// Longer than a broker takes between two looks at what is too old.
const A_LOOK: Duration = Duration::from_secs(4);

fn days_ago(days: i64) -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("fits") - days * DAY_MS
}

/// Writes records of these ages, each in a batch of its own.
fn write(address: &str, topic: &str, ages: &[i64]) {
    let producer = producer(address, &[]);
    for days in ages {
        let record = BaseRecord::<(), str>::to(topic).partition(0).payload("a record").timestamp(days_ago(*days));
        producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
        producer.flush(PATIENCE).expect("it is written");
    }
}

/// First offset and end.
fn bounds(address: &str, topic: &str) -> (i64, i64) {
    consumer(address, "reader", &[]).fetch_watermarks(topic, 0, PATIENCE).expect("the broker answers")
}

fn become_empty(address: &str, topic: &str, end: i64) {
    let deadline = Instant::now() + PATIENCE * 2;
    while bounds(address, topic) != (end, end) {
        assert!(Instant::now() < deadline, "{topic} still holds {:?}", bounds(address, topic));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn old_records_go_with_the_newest_segment_too() {
    on_each_broker(|address| {
        let (week, kept) = (unique("week"), unique("kept"));
        create_topic_with(address, &week, 1, &[("retention.ms", "604800000")]);
        create_topic_with(address, &kept, 1, &[("retention.ms", "-1")]);
        for topic in [&week, &kept] {
            write(address, topic, &[30, 29, 28]);
        }
        become_empty(address, &week, 3);
        assert_eq!(read_committed(address, &week).len(), 0);
        assert_eq!(bounds(address, &kept), (0, 3), "without a limit nothing goes");
        write(address, &week, &[1]);
        assert_eq!(bounds(address, &week), (3, 4), "offsets go on");
    });
}

#[test]
fn a_young_record_keeps_the_old_ones_of_its_segment() {
    on_each_broker(|address| {
        // One segment, however far apart its records are.
        let topic = unique("mixed");
        create_topic_with(address, &topic, 1, &[("retention.ms", "604800000"), ("segment.ms", "31536000000")]);
        write(address, &topic, &[2, 30]);
        std::thread::sleep(A_LOOK);
        assert_eq!(bounds(address, &topic), (0, 2));
    });
}

#[test]
fn a_record_too_far_from_the_first_begins_a_segment() {
    on_each_broker(|address| {
        let topic = unique("rolled");
        create_topic_with(address, &topic, 1, &[("retention.ms", "604800000")]);
        write(address, &topic, &[30, 29, 2, 1]);
        let deadline = Instant::now() + PATIENCE * 2;
        while bounds(address, &topic) != (2, 4) {
            assert!(Instant::now() < deadline, "{:?}", bounds(address, &topic));
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}
