//! The log by itself, and against a slow obvious model.

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::*;

const ROLLING: Rolling = Rolling { bytes_max: u64::MAX, age_max: Millis::MAX };
const UNBOUNDED: Retention =
    Retention { bytes_max: u64::MAX, age_max: None, rolling: ROLLING, cleanup: Cleanup::Delete };

fn log(retention: Retention) -> PartitionLog {
    PartitionLog::new(retention, Times::default(), 10)
}

/// One record of a producer; the log reads only the header it is given.
fn header(producer: Option<(i64, i32)>, max_timestamp: Millis) -> BatchHeader {
    let (producer_id, base_sequence) = producer.unwrap_or((-1, -1));
    BatchHeader {
        attributes: if producer.is_some() { 0x10 } else { 0 },
        last_offset_delta: 0,
        base_timestamp: max_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch: 0,
        base_sequence,
        record_count: 1,
    }
}

fn bytes(len: usize) -> Vec<u8> {
    let mut out = BytesMut::new();
    out.put_bytes(0, len);
    out.to_vec()
}

fn append(log: &mut PartitionLog, producer: Option<(i64, i32)>) -> i64 {
    log.append(&header(producer, 0), &bytes(100), 0).expect("in order")
}

#[test]
fn retention_by_size_keeps_the_newest_batch() {
    let mut log = log(Retention { bytes_max: 250, ..UNBOUNDED });
    for expected in 0..10 {
        assert_eq!(append(&mut log, None), expected);
    }
    assert_eq!((log.start(), log.end(), log.bytes), (8, 10, 200));
    log.append(&header(None, 0), &bytes(1000), 0).expect("appended");
    assert_eq!((log.start(), log.end(), log.bytes), (10, 11, 1000));
}

#[test]
fn retention_by_age_takes_whole_segments_by_their_largest_time() {
    let aged = |rolling| log(Retention { age_max: Some(100), rolling, ..UNBOUNDED });
    let mut one_segment = aged(ROLLING);
    let mut of_their_own = aged(Rolling { bytes_max: 100, ..ROLLING });
    for log in [&mut one_segment, &mut of_their_own] {
        for time in [10, 20, 500, 30] {
            log.append(&header(None, time), &bytes(100), 0).expect("appended");
        }
        log.retain(125);
    }
    assert_eq!((one_segment.start(), of_their_own.start()), (0, 2), "a young record keeps those of its segment");
    one_segment.retain(601);
    of_their_own.retain(601);
    assert_eq!((one_segment.start(), of_their_own.start()), (4, 4), "the newest segment goes, too");
    assert_eq!((one_segment.end(), one_segment.bytes), (4, 0));
    assert_eq!(append(&mut one_segment, None), 4, "offsets go on");
}

#[test]
fn the_marker_of_a_transaction_keeps_the_old_records_before_it() {
    let mut log = log(Retention { age_max: Some(100), ..UNBOUNDED });
    append(&mut log, Some((1, 0)));
    log.append_marker((1, 0), true, 500);
    log.retain(600);
    assert_eq!(log.start(), 0);
    log.retain(601);
    assert_eq!(log.start(), 2);
}

#[test]
fn what_was_aborted_is_forgotten_with_its_records() {
    let mut log = log(UNBOUNDED);
    append(&mut log, Some((1, 0)));
    log.append_marker((1, 0), false, 0);
    append(&mut log, None);
    assert_eq!(log.aborted_in(0, 3).len(), 1);
    assert_eq!(log.aborted_in(2, 3), []);
    log.delete_before(1).expect("in range");
    assert_eq!(log.aborted_in(1, 3).len(), 1, "its marker is still there");
    log.delete_before(2).expect("in range");
    assert!(log.aborted.is_empty());
    assert_eq!(log.delete_before(4), Err(ResponseError::OffsetOutOfRange));
}

#[test]
fn the_stable_offset_never_falls_below_the_start() {
    let mut log = log(UNBOUNDED);
    append(&mut log, Some((1, 0)));
    for _ in 0..5 {
        append(&mut log, None);
    }
    assert_eq!(log.last_stable(), 0);
    log.delete_before(4).expect("in range");
    assert_eq!(log.last_stable(), 4);
}

#[test]
fn a_read_takes_whole_batches_up_to_its_limits() {
    let mut log = log(UNBOUNDED);
    for _ in 0..5 {
        append(&mut log, None);
    }
    let check = |from, upper, bytes_max, at_least_one, batches, end| {
        let slice = log.read(from, upper, bytes_max, at_least_one);
        assert_eq!((slice.batches.len(), slice.bytes, slice.end), (batches, batches * 100, end));
    };
    check(0, 5, 1000, false, 5, 5);
    check(0, 3, 1000, false, 3, 3);
    check(2, 5, 250, false, 2, 4);
    check(2, 5, 10, false, 0, 2);
    check(2, 5, 10, true, 1, 3);
    check(5, 5, 1000, true, 0, 5);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Write(i64),
    Plain,
    End(i64, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_i64).prop_map(Step::Write),
        1 => Just(Step::Plain),
        2 => (0..4_i64, any::<bool>()).prop_map(|(producer, commit)| Step::End(producer, commit)),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// A `read_committed` client that follows the protocol sees exactly the committed records, from any offset.
    #[test]
    fn committed_records_are_seen_and_no_others(steps in steps(), from in 0..60_i64) {
        let mut log = log(UNBOUNDED);
        let mut sequences = [0; 4];
        // The slow way: who wrote what, and how each producer's records up to an offset ended.
        let mut written: Vec<(i64, Option<i64>)> = Vec::new();
        let mut ends: Vec<(i64, i64, bool)> = Vec::new();
        for step in steps {
            match step {
                Step::Write(producer) => {
                    let at = usize::try_from(producer).expect("small");
                    written.push((append(&mut log, Some((producer, sequences[at]))), Some(producer)));
                    sequences[at] += 1;
                }
                Step::Plain => written.push((append(&mut log, None), None)),
                Step::End(producer, commit) => {
                    ends.push((log.end(), producer, commit));
                    log.append_marker((producer, 0), commit, 0);
                }
            }
        }
        let fate = |offset: i64, producer: i64| {
            ends.iter().find(|(end, by, _)| *by == producer && *end > offset).map(|(_, _, commit)| *commit)
        };
        let open = written.iter().filter(|(offset, by)| by.is_some_and(|by| fate(*offset, by).is_none()));
        let stable = open.map(|(offset, _)| *offset).min().unwrap_or(log.end());
        prop_assert_eq!(log.last_stable(), stable);
        let expected: Vec<i64> = written
            .iter()
            .filter(|(offset, by)| (from..stable).contains(offset) && by.is_none_or(|by| fate(*offset, by) == Some(true)))
            .map(|(offset, _)| *offset)
            .collect();

        let mut aborted = log.aborted_in(from, stable);
        aborted.sort_by_key(|aborted| std::cmp::Reverse(aborted.first_offset));
        let mut skipped: Vec<i64> = Vec::new();
        let mut seen = Vec::new();
        for offset in from..stable {
            // As clients do: an aborted producer is skipped from its first offset until its marker.
            while aborted.last().is_some_and(|aborted| aborted.first_offset <= offset) {
                skipped.extend(aborted.pop().map(|aborted| aborted.producer_id));
            }
            if let Some((_, producer, _)) = ends.iter().find(|(end, _, _)| *end == offset) {
                skipped.retain(|skipped| skipped != producer);
            } else if let Some((_, by)) = written.iter().find(|(at, _)| *at == offset)
                && by.is_none_or(|by| !skipped.contains(&by))
            {
                seen.push(offset);
            }
        }
        prop_assert_eq!(seen, expected);
    }
}

/// A real batch of one record, since compaction opens what it keeps.
fn keyed(key: Option<&str>, value_bytes: usize) -> (BatchHeader, Vec<u8>) {
    let record = kafka_protocol::records::Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: kafka_protocol::records::TimestampType::Creation,
        offset: 0,
        sequence: -1,
        timestamp: 0,
        key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
        value: Some(Bytes::from(vec![b'v'; value_bytes])),
        headers: kafka_protocol::indexmap::IndexMap::new(),
    };
    let options = kafka_protocol::records::RecordEncodeOptions {
        version: 2,
        compression: kafka_protocol::records::Compression::None,
    };
    let mut out = BytesMut::new();
    kafka_protocol::records::RecordBatchEncoder::encode(&mut out, &[record], &options).expect("encodes");
    (BatchHeader::of_client(&out).expect("a good batch"), out.to_vec())
}

#[test]
fn a_partition_that_keeps_keys_stays_small_and_refuses_more_keys_than_fit() {
    let cleanup = Cleanup::Compact { tombstones_kept: 0 };
    let mut log = log(Retention { bytes_max: 4 << 20, cleanup, ..UNBOUNDED });
    let append = |log: &mut PartitionLog, key: Option<&str>| {
        let (header, data) = keyed(key, 10_000);
        log.append(&header, &data, 0)
    };
    let refused = Refusal { code: ResponseError::InvalidRecord, records: vec![0] };
    assert_eq!(append(&mut log, None), Err(refused));
    for number in 0..2000 {
        let key = format!("key {}", number % 7);
        assert_eq!(append(&mut log, Some(&key)), Ok(number));
        assert!(log.bytes <= COMPACT_FROM + 10_100, "{} bytes", log.bytes);
    }
    assert_eq!((log.start(), log.end()), (0, 2000), "offsets are gaps, not gone");
    let refused = (0..2000).find_map(|number| append(&mut log, Some(&format!("other {number}"))).err());
    assert_eq!(refused, Some(ResponseError::PolicyViolation.into()));
    assert!(log.bytes <= 8 << 20, "{} bytes", log.bytes);
}
