//! The two Kafka edges together, without a model: what a source reads and a publisher publishes, exactly once, through
//! rebalances, rewinds, fencing and records that do not fit. Each test runs on every broker that is here.

mod assignment;
mod events;
mod faults;
mod fencing;
mod harness;
mod refused;
mod rights;
mod starts;
mod table;

use std::thread;
use std::time::{Duration, Instant};

use formats::{dead_letter, labeled};
use kafka::error::TransactError;
use kafka::settings::{Assignment, UntilEnd};
use kafka::source::{Source, SourceEvent};
use kafka::transactor::Published;
use kafka::transactor::config::Guarantee;
use schemas::{Batch, DeadLetter, Header, Reason};
use tests::broker;
use tests::records::{self, Record};

use events::{offsets, texts};
use harness::Stage;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn labels_and_dead_letters_keep_key_headers_timestamp_and_partition() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 3);
        let header =
            |name: &str, value: Option<&[u8]>| Header { name: name.to_owned(), value: value.map(<[u8]>::to_vec) };
        let record = Record {
            partition: Some(2),
            key: Some(b"\xffkey".to_vec()),
            payload: Some(b"a text".to_vec()),
            headers: vec![
                header("a", Some(b"1")),
                header("null", None),
                header("a", Some(b"")),
                header("", Some(b"\0")),
            ],
            timestamp_ms: Some(events::an_hour_ago_ms()),
        };
        let tombstone = Record { payload: None, key: Some(Vec::new()), ..record.clone() };
        records::produce(&stage.address, &stage.input, &[record.clone(), tombstone]);

        let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
        publisher.lease_from(&reader);
        let (events, generation) = reader.take(2);
        let batch = Batch::read(events.clone(), generation).try_map(|event| {
            if event.payload.is_none() {
                return Err(DeadLetter::new(event, Reason::Empty, "no payload"));
            }
            Ok(events::labeled(event))
        });
        assert_eq!(publisher.publish(batch).expect("published"), Published::Committed);

        let labels = records::await_committed(&stage.address, &stage.output, 1, PATIENCE);
        let label = &labels[0];
        assert_eq!((label.origin.partition, &label.key, label.timestamp_ms), (2, &record.key, record.timestamp_ms));
        assert_eq!(label.headers[..4], record.headers, "the record's own headers come first, in order");
        assert_eq!(label.headers[4].name, labeled::LABEL_HEADER);
        let added = labeled::decode(label.payload.as_deref().expect("a payload")).expect("a labelled event");
        assert_eq!(added.source.offset, events[0].origin.offset);

        let letters = records::await_committed(&stage.address, &stage.dead_letters, 1, PATIENCE);
        let letter = &letters[0];
        assert_eq!((&letter.key, &letter.payload), (&Some(Vec::new()), &None), "an empty key is not a missing one");
        assert_eq!((letter.origin.partition, letter.timestamp_ms), (2, record.timestamp_ms));
        let found = dead_letter::read_headers(&letter.headers).expect("a dead letter");
        assert_eq!((found.reason, &found.origin), (Reason::Empty, &events[1].origin));
        assert_eq!(found.headers, record.headers);
    }
}

#[test]
fn a_rewind_reads_exactly_the_uncommitted_again() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 2);
        stage.produce(40);
        let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
        publisher.lease_from(&reader);
        let (events, generation) = reader.take(40);
        let committed: Vec<_> = events.iter().take(15).cloned().collect();
        assert_eq!(publisher.publish(events::batch(committed, generation)).expect("published"), Published::Committed);
        reader.source.rewind().expect("the poll thread lives");
        let (again, later) = reader.take(25);
        assert!(later > generation);
        let mut expected = offsets(&events[15..]);
        let mut found = offsets(&again);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        assert!(reader.is_quiet(), "nothing else is read again");
        // Twice in a row, with nothing published in between.
        reader.source.rewind().expect("the poll thread lives");
        let (twice, _) = reader.take(25);
        assert_eq!(offsets(&twice).len(), 25);
    }
}

#[test]
fn a_batch_of_an_ended_generation_is_dropped() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 1);
        stage.produce(10);
        let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
        publisher.lease_from(&reader);
        let (events, generation) = reader.take(10);
        reader.source.rewind().expect("the poll thread lives");
        let stale = publisher.publish(events::batch(events, generation)).expect("no error");
        assert_eq!(stale, Published::Stale);
        let (events, generation) = reader.take(10);
        assert_eq!(publisher.publish(events::batch(events, generation)).expect("published"), Published::Committed);
        assert_eq!(records::await_committed(&stage.address, &stage.output, 10, PATIENCE).len(), 10);
    }
}

#[test]
fn metadata_is_fresh_after_members_come_and_go_without_moving_our_partition() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 1);
        stage.produce(3);
        let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
        publisher.lease_from(&reader);
        let (events, generation) = reader.take(1);
        publisher.publish(events::batch(events, generation)).expect("published");

        let other = stage.reader_unnamed();
        reader.until(|reader| reader.source.leases().generation() > generation);
        drop(other);
        let joined = reader.source.leases().generation();
        reader.until(|reader| reader.source.leases().generation() > joined);
        let (events, generation) = reader.take(2);
        assert_eq!(texts(&events), ["text 1", "text 2"], "kept partitions go back to the committed offset");
        assert_eq!(publisher.publish(events::batch(events, generation)).expect("published"), Published::Committed);
        assert_eq!(records::await_committed(&stage.address, &stage.output, 3, PATIENCE).len(), 3);
    }
}

/// A watchdog over the reader sees a poll thread that hangs only if the source does not say "nothing came" for it. Here
/// the thread waits in a rebalance for a publish that does not end, for `revoke_wait_ms` = 3 s.
#[test]
fn a_source_whose_poll_thread_is_stuck_says_nothing_not_even_that_nothing_came() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 4);
        let mut first = stage.reader("one");
        first.until(|reader| reader.source.leases().assigned().is_some());
        let leases = first.source.leases();
        let _publish = leases.lease(leases.generation()).expect("it owns all partitions");
        let _second = stage.reader("two");
        let deadline = Instant::now() + PATIENCE;
        let mut asked = Instant::now();
        while first.next().is_ok_and(|_| asked.elapsed() < Duration::from_secs(2)) {
            asked = Instant::now();
            assert!(asked < deadline, "{:?}: it ticked through the rebalance", broker.kind);
        }
        assert!(asked.elapsed() < PATIENCE, "{:?}: it never came back", broker.kind);
    }
}

#[test]
fn a_rebalance_between_two_sources_loses_and_repeats_nothing() {
    for broker in broker::all() {
        for assignment in [Assignment::Range, Assignment::CooperativeSticky] {
            let mut stage = Stage::new(&broker, 4);
            stage.assignment = assignment;
            share_between_three(&stage);
        }
    }
}

fn share_between_three(stage: &Stage) {
    const RECORDS: usize = 4000;
    stage.produce(RECORDS);
    let started = Instant::now();
    thread::scope(|scope| {
        for (name, delay) in [("one", 0), ("two", 300), ("three", 900)] {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(delay));
                let mut reader = stage.until_end(name, UntilEnd::Committed);
                let mut publisher = stage.publisher(name);
                publisher.lease_from(&reader);
                reader.work(&mut publisher, 20);
            });
        }
    });
    let labels = records::await_committed(&stage.address, &stage.output, RECORDS, PATIENCE);
    assert_eq!(labels.len(), RECORDS, "{:?} after {:?}", stage.assignment, started.elapsed());
    events::assert_each_once_and_in_order(&labels);
}

#[test]
fn back_pressure_for_longer_than_session_and_poll_interval_keeps_the_membership() {
    for broker in broker::all() {
        let mut stage = Stage::new(&broker, 2);
        stage.max_poll_interval = harness::SESSION_TIMEOUT;
        stage.produce(3000);
        let mut reader = stage.reader("one");
        let (first, generation) = reader.take(1);
        thread::sleep(harness::SESSION_TIMEOUT + Duration::from_secs(2));
        let (rest, later) = reader.take(2999);
        assert_eq!(later, generation, "no rebalance, no rewind");
        let mut found = offsets(&first);
        found.extend(offsets(&rest));
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 3000, "a pause neither loses nor repeats records");
    }
}

#[test]
fn a_reader_that_is_busy_gives_partitions_away() {
    for broker in broker::all() {
        for assignment in [Assignment::Range, Assignment::CooperativeSticky] {
            let mut stage = Stage::new(&broker, 2);
            stage.assignment = assignment;
            stage.produce(3000);
            let mut busy = stage.reader("one");
            busy.take(1); // its queue is full from now on, and nobody reads it
            let mut other = stage.reader("two");
            let (events, _) = other.take(1500);
            let partition = events[0].origin.partition;
            assert!(events.iter().all(|event| event.origin.partition == partition), "{assignment:?}");
            busy.until(|reader| {
                reader.source.leases().assigned().is_some_and(|assigned| assigned.partitions.len() == 1)
            });
        }
    }
}

#[test]
fn a_second_process_under_the_same_name_fences_the_first_and_says_so() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 1);
        stage.produce(20);
        let (mut first, mut publisher) = (stage.reader("same"), stage.publisher("same"));
        publisher.lease_from(&first);
        let (events, generation) = first.take(10);
        let mut second_reader = stage.reader("same");
        let mut second = stage.publisher("same");
        second.lease_from(&second_reader);
        match publisher.publish(events::batch(events, generation)) {
            Err(TransactError::Fenced { instance }) => assert_eq!(instance, "same"),
            other => panic!("expected to be fenced, found {other:?}"),
        }
        let error = first.error().to_string();
        assert!(error.contains("a second process runs under the instance name same"), "{error}");
        drop(first);
        let (events, generation) = second_reader.take(20);
        assert_eq!(second.publish(events::batch(events, generation)).expect("published"), Published::Committed);
    }
}

#[test]
fn a_label_that_does_not_fit_becomes_a_dead_letter_of_the_same_batch() {
    for broker in broker::all() {
        let mut stage = Stage::new(&broker, 1);
        let large = "\"".repeat(3000); // twice as many bytes in JSON
        records::produce(
            &stage.address,
            &stage.input,
            &[Record::of("small"), Record::of(large.clone()), Record::of("last")],
        );
        stage.message_bytes_max = 5000; // the dead letter fits, the label does not
        stage.publishes_all_but_one_as_label(&large);
    }
}

#[test]
fn a_label_that_the_broker_refuses_becomes_a_dead_letter_after_an_abort() {
    for broker in broker::all() {
        let stage = Stage::with_settings(&broker, &[("max.message.bytes", "5000")], &[]);
        let large = events::noise(6000);
        // Small ones beside it: together they are refused too, alone they are not.
        let mut batch: Vec<_> = (0..30).map(|place| Record::of(format!("text {place}"))).collect();
        batch.insert(11, Record::of(large.clone()));
        records::produce(&stage.address, &stage.input, &batch);
        stage.publishes_all_but_one_as_label(&large);
    }
}

#[test]
fn the_end_is_found_behind_transaction_markers_and_aborted_records() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 2);
        stage.produce_in_transactions();
        let mut reader = stage.until_end("one", UntilEnd::Committed);
        let mut publisher = stage.publisher("one");
        publisher.lease_from(&reader);
        let started = Instant::now();
        reader.work(&mut publisher, 7);
        assert!(started.elapsed() < PATIENCE);
        let labels = records::read_committed(&stage.address, &stage.output);
        assert_eq!(labels.len(), 20, "aborted records are not read");
        events::assert_each_once_and_in_order(&labels);
        drop(reader);
        // A second run finds nothing to do and ends, too.
        stage.until_end("one", UntilEnd::Committed).work(&mut publisher, 7);
        assert_eq!(records::read_committed(&stage.address, &stage.output).len(), 20);
    }
}

#[test]
fn a_reader_that_commits_nothing_ends_when_all_is_delivered() {
    for broker in broker::all() {
        let stage = Stage::new(&broker, 3);
        stage.produce(50);
        for _ in 0..2 {
            let mut reader = stage.until_end_unnamed(UntilEnd::Delivered);
            assert_eq!(reader.read_all().len(), 50);
        }
    }
}

#[test]
fn at_least_once_commits_offsets_after_the_labels() {
    for broker in broker::all() {
        let mut stage = Stage::new(&broker, 2);
        stage.guarantee = Guarantee::AtLeastOnce;
        stage.produce(30);
        let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
        publisher.lease_from(&reader);
        let (events, generation) = reader.take(10);
        let committed = offsets(&events);
        assert_eq!(publisher.publish(events::batch(events, generation)).expect("published"), Published::Committed);
        reader.source.rewind().expect("the poll thread lives");
        let (rest, _) = reader.take(20);
        assert!(offsets(&rest).iter().all(|offset| !committed.contains(offset)));
        assert_eq!(records::await_committed(&stage.address, &stage.output, 10, PATIENCE).len(), 10);
    }
}

#[test]
fn a_missing_input_topic_is_named() {
    for broker in broker::all() {
        let mut stage = Stage::new(&broker, 1);
        stage.input = tests::names::unique("nowhere");
        let mut reader = stage.reader("one");
        let deadline = Instant::now() + PATIENCE;
        let error = loop {
            assert!(Instant::now() < deadline, "no error came");
            match reader.next() {
                Ok(SourceEvent::Tick) => {}
                Ok(other) => panic!("expected an error, found {other:?}"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains(&stage.input), "{error}");
    }
}
