//! One fault at each call of a publish, on devbroker: whatever fails, each record is published once.
//!
//! The test does what a pipeline and its supervisor do: go on, rewind, or start again as a new process of the same name.

use std::thread;
use std::time::{Duration, Instant};

use devbroker::{ApiKey, Fault, FaultKind};
use kafka::settings::UntilEnd;
use kafka::source::Source;
use kafka::transactor::Published;
use schemas::Recovery;
use tests::broker;
use tests::records::{self, Record};

use crate::events;
use crate::harness::{Stage, TestPublisher};

const RECORDS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(40);

/// Error codes of Kafka's protocol.
const UNKNOWN_SERVER_ERROR: i16 = -1;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const ILLEGAL_GENERATION: i16 = 22;
const UNKNOWN_MEMBER_ID: i16 = 25;
const REBALANCE_IN_PROGRESS: i16 = 27;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const INVALID_TXN_STATE: i16 = 48;
const CONCURRENT_TRANSACTIONS: i16 = 51;
const KAFKA_STORAGE_ERROR: i16 = 56;

#[test]
fn a_lost_connection_at_any_call() {
    for api in
        [ApiKey::AddPartitionsToTxn, ApiKey::Produce, ApiKey::AddOffsetsToTxn, ApiKey::TxnOffsetCommit, ApiKey::EndTxn]
    {
        for kind in [FaultKind::DropConnectionBefore, FaultKind::DropConnectionAfterEffect] {
            assert_eq!(check(api, kind), [Attempt::Published], "{api:?} {kind:?}: the client repeats the call");
        }
    }
}

#[test]
fn an_answer_to_call_again() {
    check(ApiKey::AddPartitionsToTxn, FaultKind::ErrorCode(CONCURRENT_TRANSACTIONS));
    check(ApiKey::AddOffsetsToTxn, FaultKind::ErrorCode(COORDINATOR_NOT_AVAILABLE));
    check(ApiKey::EndTxn, FaultKind::ErrorCode(COORDINATOR_NOT_AVAILABLE));
    check(ApiKey::Produce, FaultKind::ErrorCode(KAFKA_STORAGE_ERROR));
}

#[test]
fn an_answer_that_the_group_has_moved_on() {
    for code in [ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS] {
        assert_eq!(check(ApiKey::TxnOffsetCommit, FaultKind::ErrorCode(code)), [Attempt::Stale, Attempt::Published]);
    }
}

#[test]
fn after_the_group_moved_on_no_later_batch_of_that_generation_is_published() {
    let broker = broker::devbroker();
    let stage = Stage::new(&broker, 1);
    stage.produce(RECORDS);
    let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
    publisher.lease_from(&reader);
    let (events, generation) = reader.take(RECORDS);
    let (first, second) = events.split_at(RECORDS / 2);
    let fault = Fault { api: ApiKey::TxnOffsetCommit, nth: 1, kind: FaultKind::ErrorCode(ILLEGAL_GENERATION) };
    broker.devbroker.as_ref().expect("it is a devbroker").inject(fault);
    for events in [first, second] {
        let batch = events::batch(events.to_vec(), generation);
        assert_eq!(attempt(&mut publisher, batch), Attempt::Stale, "else the first half would be left out");
    }
    assert!(records::read_committed(&stage.address, &stage.output).is_empty());
}

#[test]
fn an_answer_that_another_producer_took_over() {
    for api in [ApiKey::AddOffsetsToTxn, ApiKey::EndTxn] {
        let outcomes = check(api, FaultKind::ErrorCode(INVALID_PRODUCER_EPOCH));
        assert_eq!(outcomes, [Attempt::Exit, Attempt::Published], "{api:?}");
    }
}

/// The answer to a commit is lost for longer than anyone waits for it, or says something that no one knows.
#[test]
fn a_commit_without_a_known_outcome_is_settled_and_read_again() {
    let late = Duration::from_secs(25);
    for (kind, last) in [
        (FaultKind::ErrorCode(UNKNOWN_SERVER_ERROR), Attempt::Published),
        (FaultKind::ErrorCodeAfterEffect(UNKNOWN_SERVER_ERROR), Attempt::Rewind),
        (FaultKind::ErrorCode(INVALID_TXN_STATE), Attempt::Published),
        (FaultKind::ErrorCodeAfterEffect(INVALID_TXN_STATE), Attempt::Rewind),
        (FaultKind::Delay(late), Attempt::Published),
        (FaultKind::DelayAnswer(late), Attempt::Rewind),
    ] {
        let outcomes = check(ApiKey::EndTxn, kind);
        assert_eq!(outcomes.last(), Some(&last), "{kind:?}: {outcomes:?}");
        assert!(!outcomes.contains(&Attempt::Exit), "{kind:?}: the process stays in the group, {outcomes:?}");
    }
}

#[test]
fn a_member_that_was_thrown_out_is_not_at_the_end() {
    let broker = broker::devbroker();
    let stage = Stage::new(&broker, 1);
    stage.produce(RECORDS);
    let mut reader = stage.until_end("one", UntilEnd::Committed);
    let mut publisher = stage.publisher("one");
    publisher.lease_from(&reader);
    let (_, generation) = reader.take(RECORDS);
    let faults = broker.devbroker.as_ref().expect("it is a devbroker");
    // For longer than an assignment of no partitions must last before it is believed.
    faults.inject(Fault { api: ApiKey::JoinGroup, nth: 1, kind: FaultKind::Delay(Duration::from_secs(5)) });
    faults.inject(Fault { api: ApiKey::Heartbeat, nth: 1, kind: FaultKind::ErrorCode(UNKNOWN_MEMBER_ID) });
    reader.until(|reader| reader.source.leases().generation() > generation);
    reader.work(&mut publisher, RECORDS);
    assert_eq!(records::read_committed(&stage.address, &stage.output).len(), RECORDS);
}

#[test]
fn a_pause_ends_with_the_assignment_that_it_paused() {
    let broker = broker::devbroker();
    let mut stage = Stage::new(&broker, 2);
    stage.prefetch_bytes_max = 1 << 20;
    let large = |place: i32| Record { partition: Some(place % 2), ..Record::of(events::noise(300_000)) };
    records::produce(&stage.address, &stage.input, &(0..40).map(large).collect::<Vec<_>>());
    let mut reader = stage.reader("one");
    let (_, generation) = reader.take(1);
    // Nobody reads: a look at events each second brings a large record, and after a few the partitions are paused.
    thread::sleep(Duration::from_millis(4500));
    let fault = Fault { api: ApiKey::Heartbeat, nth: 1, kind: FaultKind::ErrorCode(UNKNOWN_MEMBER_ID) };
    broker.devbroker.as_ref().expect("it is a devbroker").inject(fault);
    reader.until(|reader| reader.source.leases().generation() > generation);
    reader.take(40);
}

/// What became of each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Published,
    Stale,
    Rewind,
    Exit,
}

/// Publishes half of the records, the other half under the fault, and what is left after it.
fn check(api: ApiKey, kind: FaultKind) -> Vec<Attempt> {
    let broker = broker::devbroker();
    let stage = Stage::new(&broker, 2);
    stage.produce(RECORDS);
    let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
    publisher.lease_from(&reader);
    let (events, generation) = reader.take(RECORDS / 2);
    publisher.publish(events::batch(events, generation)).expect("no fault yet");

    let faults = broker.devbroker.as_ref().expect("it is a devbroker");
    faults.inject(Fault { api, nth: 1, kind });
    let deadline = Instant::now() + PATIENCE;
    let mut outcomes = Vec::new();
    let mut left = RECORDS / 2;
    while left > 0 {
        assert!(Instant::now() < deadline, "{api:?} {kind:?}: {outcomes:?}");
        let (events, generation) = reader.take(left);
        let outcome = attempt(&mut publisher, events::batch(events, generation));
        outcomes.push(outcome);
        if outcome == Attempt::Exit {
            drop(publisher);
            publisher = stage.publisher("one");
            publisher.lease_from(&reader);
        }
        reader.source.rewind().expect("the poll thread lives");
        left = RECORDS - records::read_committed(&stage.address, &stage.output).len();
    }
    assert_eq!(faults.pending_faults(), 0, "{api:?} {kind:?} was never called");
    let labels = records::read_committed(&stage.address, &stage.output);
    assert_eq!(labels.len(), RECORDS, "{api:?} {kind:?}: {outcomes:?}");
    events::assert_each_once_and_in_order(&labels);
    assert!(reader.is_quiet(), "{api:?} {kind:?}: {outcomes:?}, and all offsets are committed");
    outcomes
}

fn attempt(publisher: &mut TestPublisher, batch: schemas::Batch<schemas::LabeledEvent>) -> Attempt {
    match publisher.publish(batch) {
        Ok(Published::Committed) => Attempt::Published,
        Ok(Published::Stale) => Attempt::Stale,
        Err(error) if error.recovery() == Recovery::Exit => Attempt::Exit,
        Err(_) => Attempt::Rewind,
    }
}
