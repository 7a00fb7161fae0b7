//! Compaction: of a partition's settled records, the newest of every key stays.
//!
//! Pure. It follows Apache Kafka's cleaner in what a reader can see: offsets stay and leave gaps, records of open
//! transactions are not touched, those of aborted ones go, and a record without a value, which removes its key, stays
//! for `delete.retention.ms`. Unlike Kafka's it works on the whole partition at once, since all of it is in memory.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::batch::records::{Opened, Record, open};
use crate::clock::Millis;
use crate::stored::{Aborted, Stored};

/// What is left of a partition.
#[derive(Debug)]
pub(crate) struct Compacted {
    pub(crate) batches: VecDeque<Stored>,
    /// Aborted transactions of which records may still be there.
    pub(crate) aborted: VecDeque<Aborted>,
}

/// Compacts what is below `last_stable`. The last batch there stays unchanged, so that consumers still reach it.
///
/// Records without a value go when they are older than `tombstones_from`, by their own time.
pub(crate) fn compact(
    batches: &VecDeque<Stored>,
    aborted: &VecDeque<Aborted>,
    last_stable: i64,
    tombstones_from: Millis,
) -> Compacted {
    let settled = batches.partition_point(|stored| stored.last_offset < last_stable);
    let cleanable = settled.saturating_sub(1);
    let cleaned_to = cleanable.checked_sub(1).map_or(-1, |last| batches[last].last_offset);
    let opened: Vec<Option<Opened>> = batches.iter().take(settled).map(|stored| open(&stored.bytes)).collect();
    let newest = newest_offsets(opened.iter().flatten(), aborted);
    let mut left = VecDeque::with_capacity(batches.len());
    for (place, stored) in batches.iter().enumerate() {
        let bytes = match opened.get(place) {
            Some(Some(opened)) if place < cleanable => cleaned(opened, &newest, aborted, tombstones_from),
            // What cannot be opened has no keys to go by, and what is not settled is left alone.
            _ => Some(stored.bytes.clone()),
        };
        left.extend(bytes.map(|bytes| Stored { bytes, ..*stored }));
    }
    let aborted = aborted.iter().filter(|aborted| aborted.last_offset > cleaned_to).copied().collect();
    Compacted { batches: left, aborted }
}

/// The offset of the newest record of each key.
fn newest_offsets<'a>(
    opened: impl Iterator<Item = &'a Opened>,
    aborted: &VecDeque<Aborted>,
) -> HashMap<&'a Bytes, i64> {
    let mut newest = HashMap::new();
    for batch in opened.filter(|batch| !batch.is_control) {
        for record in batch.records.iter().filter(|record| !is_aborted(batch, record, aborted)) {
            if let Some(key) = &record.key {
                newest.insert(key, record.offset);
            }
        }
    }
    newest
}

fn cleaned(
    batch: &Opened,
    newest: &HashMap<&Bytes, i64>,
    aborted: &VecDeque<Aborted>,
    tombstones_from: Millis,
) -> Option<Bytes> {
    if batch.is_control {
        return None; // its transaction is settled: what is left of it is committed
    }
    batch.keeping(|record| {
        let is_newest = record.key.as_ref().is_none_or(|key| newest.get(key) == Some(&record.offset));
        let counts = record.has_value || record.timestamp >= tombstones_from;
        is_newest && counts && !is_aborted(batch, record, aborted)
    })
}

fn is_aborted(batch: &Opened, record: &Record, aborted: &VecDeque<Aborted>) -> bool {
    batch.header.is_transactional()
        && aborted.iter().any(|aborted| {
            aborted.producer_id == batch.header.producer_id
                && (aborted.first_offset..=aborted.last_offset).contains(&record.offset)
        })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::indexmap::IndexMap;
    use kafka_protocol::records::{
        Compression, Record as Written, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::batch::marker;

    const OLD: Millis = 1_000;

    /// A batch of these keys and values at `base`, of a producer when it belongs to a transaction.
    fn stored(
        base: i64,
        records: &[(&str, Option<&str>)],
        transaction: Option<i64>,
        compression: Compression,
    ) -> Stored {
        let record = |(offset, (key, value)): (i64, &(&str, Option<&str>))| Written {
            transactional: transaction.is_some(),
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 0,
            producer_id: transaction.unwrap_or(-1),
            producer_epoch: 0,
            timestamp_type: TimestampType::Creation,
            offset,
            sequence: i32::try_from(offset).expect("few"),
            timestamp: OLD + offset,
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
            headers: IndexMap::new(),
        };
        let records: Vec<Written> = (base..).zip(records).map(record).collect();
        let mut out = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression };
        RecordBatchEncoder::encode(&mut out, &records, &options).expect("encodes");
        let last_offset = base + i64::try_from(records.len()).expect("few") - 1;
        Stored { last_offset, max_timestamp: OLD + last_offset, bytes: out.freeze() }
    }

    fn end_of(offset: i64, producer_id: i64, commit: bool) -> Stored {
        Stored { last_offset: offset, max_timestamp: OLD, bytes: marker(offset, (producer_id, 0), commit, OLD) }
    }

    /// Offset, key and value of everything but markers, as another implementation decodes it: checksums included.
    fn decoded(batches: &VecDeque<Stored>) -> Vec<(i64, String, Option<String>)> {
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("text");
        let mut all = Vec::new();
        for stored in batches {
            let decoded = RecordBatchDecoder::decode(&mut stored.bytes.clone()).expect("a good batch");
            let records = decoded.records.into_iter().filter(|record| !record.control);
            all.extend(records.map(|record| (record.offset, text(record.key.expect("a key")), record.value.map(text))));
        }
        all
    }

    fn offsets(batches: &VecDeque<Stored>) -> Vec<i64> {
        decoded(batches).into_iter().map(|(offset, ..)| offset).collect()
    }

    #[test]
    fn the_newest_record_of_each_key_stays_at_its_offset() {
        for compression in [Compression::None, Compression::Zstd, Compression::Lz4] {
            let batches = VecDeque::from([
                stored(0, &[("a", Some("1")), ("b", Some("1"))], None, compression),
                stored(2, &[("a", Some("2")), ("gone", Some("1"))], None, compression),
                stored(4, &[("gone", None), ("a", Some("3"))], None, compression),
                stored(6, &[("c", Some("1"))], None, compression),
            ]);
            let kept = compact(&batches, &VecDeque::new(), 7, 0);
            assert_eq!(offsets(&kept.batches), [1, 4, 5, 6], "with the tombstone");
            let kept = compact(&kept.batches, &VecDeque::new(), 7, OLD + 5);
            assert_eq!(offsets(&kept.batches), [1, 5, 6], "it is old by now");
            assert_eq!(decoded(&kept.batches)[1], (5, "a".to_owned(), Some("3".to_owned())));
        }
    }

    #[test]
    fn what_is_not_settled_supersedes_nothing_and_what_was_aborted_goes() {
        let none = Compression::None;
        let batches = VecDeque::from([
            stored(0, &[("a", Some("1"))], None, none),
            stored(1, &[("a", Some("aborted"))], Some(7), none),
            end_of(2, 7, false),
            stored(3, &[("b", Some("1"))], Some(7), none),
            end_of(4, 7, true),
            stored(5, &[("z", Some("1"))], None, none),
            stored(6, &[("a", Some("open")), ("b", Some("open"))], Some(8), none),
        ]);
        let aborted = VecDeque::from([Aborted { producer_id: 7, first_offset: 1, last_offset: 2 }]);
        let kept = compact(&batches, &aborted, 6, 0);
        assert_eq!(offsets(&kept.batches), [0, 3, 5, 6, 7]);
        assert!(kept.aborted.is_empty(), "its records are gone: {:?}", kept.aborted);
        assert_eq!(kept.batches.len(), 4, "and so are the markers");

        let kept = compact(&batches, &aborted, 3, 0);
        assert_eq!(kept.aborted, aborted, "its marker is the last settled batch, which stays");
    }

    proptest! {
        #[test]
        fn a_reader_of_all_and_a_reader_of_what_is_left_end_with_the_same_table(
            written in prop::collection::vec(prop::collection::vec((0..6u8, prop::option::of(0..100u8)), 1..5), 1..20),
            settled in 0..60i64,
        ) {
            let mut batches = VecDeque::new();
            let mut base = 0;
            for records in &written {
                let texts: Vec<_> =
                    records.iter().map(|(key, value)| (key.to_string(), value.map(|value| value.to_string()))).collect();
                let records: Vec<_> = texts.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
                batches.push_back(stored(base, &records, None, Compression::None));
                base += i64::try_from(records.len()).expect("few");
            }
            let table = |batches: &VecDeque<Stored>| {
                let mut table = std::collections::BTreeMap::new();
                for (_, key, value) in decoded(batches) {
                    match value {
                        Some(value) => table.insert(key, value),
                        None => table.remove(&key),
                    };
                }
                table
            };
            let kept = compact(&batches, &VecDeque::new(), settled, 0);
            prop_assert_eq!(table(&kept.batches), table(&batches));
            prop_assert_eq!(kept.batches.back().map(|stored| stored.last_offset), Some(base - 1));
            prop_assert!(offsets(&kept.batches).is_sorted());
        }
    }
}
