//! Records that the output topics refuse, on both brokers: each becomes a dead letter in a form that its topic takes, and
//! those around it are labelled.

use std::collections::BTreeMap;
use std::time::Duration;

use devbroker::{ApiKey, Fault, FaultKind};
use formats::{Amendments, KeyChange, dead_letter, labeled};
use kafka::clock::now_ms;
use kafka::transactor::Published;
use kafka::transactor::config::Guarantee;
use schemas::{Batch, DeadLetter, RawEvent, Reason, Recovery};
use tests::broker;
use tests::records::{self, Record};

use crate::events::{self, noise};
use crate::harness::Stage;

const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: i64 = 3_600_000;
/// Beyond a limit by this much less than clocks may differ: only the broker can tell.
const A_MOMENT: i64 = 50_000;

/// Error codes of Kafka's protocol.
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const POLICY_VIOLATION: i16 = 44;

/// A dead letter as a reader finds it.
struct Found {
    record: RawEvent,
    reason: Reason,
    error: String,
    offset: i64,
    amendments: Amendments,
    headers: usize,
}

fn dead_letters(stage: &Stage, count: usize) -> Vec<Found> {
    let letters = records::await_committed(&stage.address, &stage.dead_letters, count, PATIENCE);
    assert_eq!(letters.len(), count);
    let found = |record: RawEvent| {
        let mut found = dead_letter::read_headers(&record.headers).expect("a dead letter");
        let amendments = Amendments::take(&mut found.headers);
        assert_eq!(&*found.origin.topic, stage.input, "it says where the record is");
        let (reason, error, offset) = (found.reason, found.error, found.origin.offset);
        Found { record, reason, error, offset, amendments, headers: found.headers.len() }
    };
    letters.into_iter().map(found).collect()
}

/// Publishes all of the input in one batch, changed by `change`, and one more batch after it.
fn publish(stage: &Stage, change: impl Fn(&mut RawEvent)) {
    let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
    publisher.lease_from(&reader);
    let count = records::read_committed(&stage.address, &stage.input).len();
    let mut publish = |count: usize| loop {
        let (mut events, generation) = reader.take(count);
        events.iter_mut().for_each(&change);
        // On a busy machine the group may move on meanwhile; then its records are read again.
        if publisher.publish(events::batch(events, generation)).expect("published") == Published::Committed {
            return;
        }
    };
    publish(count);
    records::produce(&stage.address, &stage.input, &[Record::of("after").keyed("after")]);
    publish(1);
}

fn labels(stage: &Stage, count: usize) -> Vec<i64> {
    let labels = records::await_committed(&stage.address, &stage.output, count, PATIENCE);
    let offset = |label: &RawEvent| {
        let added = labeled::decode(label.payload.as_deref().expect("a payload")).expect("a labelled event");
        added.source.offset
    };
    labels.iter().map(offset).collect()
}

/// 21 keyed records, of which the one in the middle is changed, to an output topic with these settings.
fn one_of_many(settings: &[(&str, &str)], change: impl Fn(&mut RawEvent) + Copy, rule: &str) {
    for broker in broker::all() {
        for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
            let mut stage = Stage::with_settings(&broker, settings, &[]);
            stage.guarantee = guarantee;
            let input: Vec<_> = (0..21).map(|place| Record::of(format!("text {place}")).keyed("key")).collect();
            records::produce(&stage.address, &stage.input, &input);
            let is_it = |event: &RawEvent| event.payload.as_deref() == Some(b"text 10");
            publish(&stage, |event| {
                if is_it(event) {
                    change(event)
                }
            });
            let expected: Vec<i64> = (0..22).filter(|offset| *offset != 10).collect();
            let mut published = labels(&stage, 21);
            if guarantee == Guarantee::AtLeastOnce {
                // Without a transaction what the broker took beside the refused part is out already, and stays before it.
                assert_eq!(published.last(), Some(&21), "{rule} {:?}", broker.kind);
                published.sort_unstable();
            }
            assert_eq!(published, expected, "{rule} {guarantee:?} {:?}", broker.kind);
            let letter = dead_letters(&stage, 1).remove(0);
            assert_eq!((letter.reason, letter.offset), (Reason::OutputRefused, 10));
            assert_eq!(letter.record.payload.as_deref(), Some(&b"text 10"[..]));
            let named = format!("topic {} refuses the labelled event of {}[0]@10: ", stage.output, stage.input);
            assert!(letter.error.starts_with(&named) && letter.error.contains(rule), "{}", letter.error);
        }
    }
}

#[test]
fn a_time_too_far_ahead() {
    let rule = "and 60 minutes are allowed (message.timestamp.after.max.ms)";
    one_of_many(&[], |event| event.timestamp_ms = Some(now_ms() + 2 * HOUR), rule);
    // So close to the limit that only the broker can tell.
    one_of_many(&[], |event| event.timestamp_ms = Some(now_ms() + HOUR + A_MOMENT), rule);
}

#[test]
fn a_time_too_far_back() {
    let settings = [("message.timestamp.before.max.ms", "3600000")];
    let rule = "and 60 minutes are allowed (message.timestamp.before.max.ms)";
    one_of_many(&settings, |event| event.timestamp_ms = Some(now_ms() - 48 * HOUR), rule);
    one_of_many(&settings, |event| event.timestamp_ms = Some(now_ms() - HOUR - A_MOMENT), rule);
}

#[test]
fn no_key_where_keys_are_kept() {
    let rule = "it has no key, and the topic keeps one record per key (cleanup.policy=compact)";
    one_of_many(&[("cleanup.policy", "compact")], |event| event.key = None, rule);
    one_of_many(&[("cleanup.policy", "compact,delete")], |event| event.key = None, rule);
}

#[test]
fn the_rules_need_not_be_known() {
    let broker = broker::devbroker();
    let hide = || {
        for _ in 0..20 {
            let kind = FaultKind::ErrorCode(TOPIC_AUTHORIZATION_FAILED);
            broker.devbroker.as_ref().expect("it is a devbroker").inject(Fault {
                api: ApiKey::DescribeConfigs,
                nth: 1,
                kind,
            });
        }
    };
    for (settings, bad) in [
        (&[][..], Some(now_ms() + 2 * HOUR)),
        (&[("message.timestamp.before.max.ms", "3600000")], Some(now_ms() - 48 * HOUR)),
        (&[("cleanup.policy", "compact")], None),
    ] {
        let stage = Stage::with_settings(&broker, settings, settings);
        hide();
        let input: Vec<_> = (0..200).map(|place| Record::of(format!("text {place}")).keyed("key")).collect();
        records::produce(&stage.address, &stage.input, &input);
        publish(&stage, |event| {
            if event.payload.as_deref().is_some_and(|payload| payload.ends_with(b"7")) {
                event.timestamp_ms = bad.or(event.timestamp_ms);
                event.key = event.key.take().filter(|_| bad.is_some());
            }
        });
        assert_eq!(labels(&stage, 181).len(), 181, "{settings:?}");
        let letters = dead_letters(&stage, 20);
        assert!(letters.iter().all(|letter| letter.reason == Reason::OutputRefused && letter.offset % 10 == 7));
    }
}

#[test]
fn a_topic_that_refuses_every_record_needs_few_transactions() {
    for broker in broker::all() {
        // Compressed records may be smaller than they look, so they are tried; times so close to the limit, too.
        let stage = Stage::with_settings(&broker, &[("max.message.bytes", "2000")], &[]);
        let large: Vec<_> = (0..300).map(|_| Record::of(noise(3000))).collect();
        records::produce(&stage.address, &stage.input, &large);
        let before = transactions(&broker);
        publish(&stage, |_| {});
        assert!(dead_letters(&stage, 300).iter().all(|letter| letter.reason == Reason::OutputTooLarge));
        let sizes = transactions(&broker) - before;

        let stage = Stage::with_settings(&broker, &[("message.timestamp.before.max.ms", "3600000")], &[]);
        stage.produce(300);
        publish(&stage, |event| event.timestamp_ms = Some(now_ms() - HOUR - A_MOMENT));
        let all = 300 + 1; // the batch after it, too
        assert!(dead_letters(&stage, all).iter().all(|letter| letter.reason == Reason::OutputRefused));
        let times = transactions(&broker) - before - sizes;
        assert!(sizes <= 60 && times <= 60, "{sizes} and {times} transactions");
    }
}

/// Ends of transactions so far; 0 where the broker does not count.
fn transactions(broker: &broker::TestBroker) -> u64 {
    broker.devbroker.as_ref().map_or(0, |broker| broker.calls(ApiKey::EndTxn))
}

#[test]
fn a_refusal_of_the_whole_request_blames_nobody_who_passes_alone() {
    let broker = broker::devbroker();
    let stage = Stage::new(&broker, 1);
    stage.produce(100);
    let kind = FaultKind::ErrorCode(POLICY_VIOLATION);
    for nth in [1, 3] {
        broker.devbroker.as_ref().expect("it is a devbroker").inject(Fault { api: ApiKey::Produce, nth, kind });
    }
    publish(&stage, |_| {});
    assert_eq!(labels(&stage, 101), (0..101).collect::<Vec<_>>());
    dead_letters(&stage, 0);
}

#[test]
fn a_policy_that_refuses_everything_is_named_at_the_end() {
    let broker = broker::devbroker();
    let stage = Stage::new(&broker, 1);
    stage.produce(3);
    let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
    publisher.lease_from(&reader);
    let (events, generation) = reader.take(3);
    let kind = FaultKind::ErrorCode(POLICY_VIOLATION);
    for _ in 0..200 {
        broker.devbroker.as_ref().expect("it is a devbroker").inject(Fault { api: ApiKey::Produce, nth: 1, kind });
    }
    let error = publisher.publish(events::batch(events, generation)).expect_err("nothing can be written");
    assert_eq!(error.recovery(), Recovery::Exit);
    let text = error.to_string();
    for part in ["the dead letter of", &stage.dead_letters, "a policy of the broker forbids it"] {
        assert!(text.contains(part), "{text}");
    }
    broker.devbroker.as_ref().expect("it is a devbroker").clear_faults();
}

/// One record that is turned away before it is labelled, to a dead-letter topic with these settings.
fn one_dead_letter(settings: &[(&str, &str)], record: Record, change: impl Fn(&mut RawEvent), check: impl Fn(&Found)) {
    for broker in broker::all() {
        let stage = Stage::with_settings(&broker, &[], settings);
        records::produce(&stage.address, &stage.input, &[Record::of("first"), record.clone(), Record::of("last")]);
        let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
        publisher.lease_from(&reader);
        let (mut events, generation) = reader.take(3);
        change(&mut events[1]);
        let batch = Batch::read(events, generation).try_map(|event| {
            if event.origin.offset == 1 {
                return Err(DeadLetter::new(event, Reason::NoText, "no text"));
            }
            Ok(events::labeled(event))
        });
        assert_eq!(publisher.publish(batch).expect("published"), Published::Committed);
        assert_eq!(labels(&stage, 2), [0, 2]);
        let letter = dead_letters(&stage, 1).remove(0);
        assert_eq!((letter.reason, letter.offset), (Reason::NoText, 1));
        check(&letter);
    }
}

fn headers(sizes: &[usize]) -> Vec<schemas::Header> {
    let header = |bytes: &usize| schemas::Header { name: "own".to_owned(), value: Some(noise(*bytes).into_bytes()) };
    sizes.iter().map(header).collect()
}

#[test]
fn a_dead_letter_that_is_too_large_says_where_its_payload_is() {
    let payload = noise(6000);
    let record = Record { headers: headers(&[10, 20]), ..Record::of(payload.clone()) };
    one_dead_letter(
        &[("max.message.bytes", "5000")],
        record,
        |_| {},
        |letter| {
            let left_out = letter.amendments.payload.as_ref().expect("it was left out");
            assert_eq!((left_out.bytes, letter.headers), (payload.len() as u64, 2));
            assert_eq!(left_out.digest, sink::labels::digest(payload.as_bytes()));
            assert_eq!(
                letter.record.payload.as_deref(),
                Some(&b""[..]),
                "not null, which would delete where keys are kept"
            );
            assert_eq!((&letter.amendments.key, letter.amendments.timestamp_ms), (&None, None));
        },
    );
}

#[test]
fn a_dead_letter_with_large_headers_or_a_large_key_is_written_too() {
    let topic = [("max.message.bytes", "5000")];
    let record = Record { headers: headers(&[10, 6000]), ..Record::of("small") };
    one_dead_letter(&topic, record, |_| {}, |letter| assert!(letter.amendments.headers_left_out > 0));
    let record = Record::of("small").keyed(noise(6000));
    one_dead_letter(
        &topic,
        record,
        |_| {},
        |letter| {
            assert_eq!(letter.amendments.key, Some(KeyChange::LeftOut));
        },
    );
}

#[test]
fn a_dead_letter_larger_than_our_own_limit_is_written_too() {
    for broker in broker::all() {
        let mut stage = Stage::new(&broker, 1);
        records::produce(&stage.address, &stage.input, &[Record::of("x".repeat(6000))]);
        stage.message_bytes_max = 4096;
        publish(&stage, |_| {});
        let letter = dead_letters(&stage, 1).remove(0);
        assert_eq!(
            (letter.reason, letter.amendments.payload.map(|payload| payload.bytes)),
            (Reason::OutputTooLarge, Some(6000))
        );
        assert!(
            letter.error.contains("more than 4096 (max.message.bytes, sink.message_bytes_max)"),
            "{}",
            letter.error
        );
    }
}

#[test]
fn a_dead_letter_without_a_key_gets_one_where_keys_are_kept() {
    one_dead_letter(
        &[("cleanup.policy", "compact")],
        Record::of("small"),
        |_| {},
        |letter| {
            assert_eq!(letter.amendments.key, Some(KeyChange::Given));
            let key = String::from_utf8(letter.record.key.clone().expect("a key")).expect("text");
            assert!(key.ends_with("[0]@1"), "{key}");
            assert_eq!(letter.record.payload.as_deref(), Some(&b"small"[..]));
        },
    );
}

#[test]
fn strange_times_stop_nothing() {
    let old = [("message.timestamp.before.max.ms", "3600000")];
    let kept = |timestamp_ms: i64| (Some(timestamp_ms), None);
    for (settings, time, expected) in [
        (&[][..], Some(-5), kept(-5)),
        (&[], Some(i64::MAX), (None, Some(i64::MAX))),
        (&[], Some(0), (None, Some(0))),
        (&[], None, (None, None)),
        (&old, Some(-5), (None, Some(-5))),
        (&old, Some(1), (None, Some(1))),
    ] {
        let change = |event: &mut RawEvent| event.timestamp_ms = time;
        one_dead_letter(settings, Record::of("small"), change, |letter| {
            let carried = letter.record.timestamp_ms.filter(|time| now_ms().abs_diff(*time) > HOUR.unsigned_abs() / 2);
            assert_eq!((carried, letter.amendments.timestamp_ms), expected, "{time:?} {settings:?}");
        });
    }
    for broker in broker::all() {
        let stage = Stage::with_settings(&broker, &[], &[]);
        stage.produce(7);
        let times = [Some(0), None, Some(-1), Some(-5), Some(i64::MAX), Some(i64::MIN), Some(now_ms())];
        publish(&stage, |event| event.timestamp_ms = times[usize::try_from(event.origin.offset).unwrap_or(0) % 7]);
        let letters: BTreeMap<i64, Reason> =
            dead_letters(&stage, records::read_committed(&stage.address, &stage.dead_letters).len())
                .into_iter()
                .map(|letter| (letter.offset, letter.reason))
                .collect();
        let labels = labels(&stage, 8 - letters.len());
        assert_eq!(labels.len() + letters.len(), 8, "{labels:?} {letters:?}");
        assert!(labels.contains(&6) && labels.contains(&7), "{labels:?}");
        assert_eq!(letters.get(&4), Some(&Reason::OutputRefused));
    }
}
