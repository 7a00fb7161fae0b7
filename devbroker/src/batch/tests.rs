//! Headers, markers and the search by time, against `kafka-protocol`'s own encoder and decoder.

use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use super::*;

/// A batch of records at these times, at base offset 0.
fn batch(times: &[Millis], compression: Compression) -> Bytes {
    let record = |(index, timestamp): (usize, &Millis)| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: 5,
        producer_epoch: 2,
        timestamp_type: TimestampType::Creation,
        offset: i64::try_from(index).expect("few"),
        sequence: 10 + i32::try_from(index).expect("few"),
        timestamp: *timestamp,
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::from(vec![b'v'; 100])),
        headers: IndexMap::new(),
    };
    let records: Vec<Record> = times.iter().enumerate().map(record).collect();
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode(&mut out, &records, &RecordEncodeOptions { version: 2, compression }).expect("encodes");
    out.freeze()
}

#[test]
fn a_header_says_what_was_encoded() {
    let header = BatchHeader::of_client(&batch(&[30, 10, 20], Compression::Zstd)).expect("a good batch");
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (5, 2, 10));
    assert_eq!((header.last_sequence(), header.record_count, header.codec()), (12, 3, CODEC_ZSTD));
    assert_eq!(header.max_timestamp, 30);
}

#[test]
fn sequences_wrap_to_zero() {
    let header = BatchHeader::of_client(&batch(&[1, 2, 3], Compression::None)).expect("a good batch");
    let last = |base_sequence| BatchHeader { base_sequence, ..header }.last_sequence();
    assert_eq!((last(i32::MAX - 2), last(i32::MAX - 1), last(i32::MAX)), (i32::MAX, 0, 1));
}

#[test]
fn every_cut_is_corrupt_and_nothing_panics() {
    let whole = batch(&[1, 2], Compression::None);
    for length in 1..whole.len() {
        assert_eq!(BatchHeader::of_client(&whole[..length]), Err(ResponseError::CorruptMessage), "{length} bytes");
    }
    assert_eq!(BatchHeader::of_client(&[]), Err(ResponseError::InvalidRecord));
}

#[test]
fn a_marker_is_a_control_batch() {
    for commit in [false, true] {
        let mut bytes = marker(77, (5, 2), commit, 1234);
        assert_eq!(BatchHeader::of_client(&bytes), Err(ResponseError::InvalidRecord), "clients may not write it");
        let record = RecordBatchDecoder::decode(&mut bytes).expect("a whole batch").records.remove(0);
        assert!(record.control && record.transactional);
        assert_eq!((record.offset, record.producer_id, record.producer_epoch, record.timestamp), (77, 5, 2, 1234));
        assert_eq!(record.key.as_deref(), Some(&[0, 0, 0, u8::from(commit)][..]));
        assert_eq!(record.value.as_deref(), Some(&[0; 6][..]));
    }
}

#[test]
fn the_search_by_time_opens_every_codec() {
    let times = [100, 300, 200, 300];
    for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let stored = placed(&batch(&times, codec), 40, 0, None);
        let check = |target, from, expected| {
            assert_eq!(first_record_from(&stored, target, from), expected, "{codec:?} {target} from {from}");
        };
        check(0, 0, Some((40, 100)));
        check(101, 0, Some((41, 300)));
        check(101, 42, Some((42, 200)));
        check(300, 42, Some((43, 300)));
        check(301, 0, None);
    }
}

#[test]
fn a_batch_that_cannot_be_opened_answers_with_its_last_record() {
    let mut rubbish = BytesMut::from(&batch(&[1, 2, 3], Compression::None)[..]);
    rubbish[HEADER_BYTES..].fill(0xff);
    let checksum = crc32c::crc32c(&rubbish[CRC_FROM..]);
    rubbish[CRC_AT..CRC_FROM].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(first_record_from(&rubbish.freeze(), 1, 0), Some((2, 3)));
}
