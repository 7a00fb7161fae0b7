//! Record batches (magic 2) as bytes: the header is read and checked, the records inside stay as the client packed them.
//!
//! Source: Kafka's documentation, "Message Format: Record Batch". Offsets 0..8 (base offset) and 12..16 (leader epoch) lie
//! outside the checksum, which is why a broker may set them without touching anything else. Only the look-up by time
//! ([`first_record_from`]) and compaction ([`records`]) open a batch.

pub(crate) mod records;

#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::compression::{Decompressor, Gzip, Lz4, Snappy, Zstd};

use crate::clock::Millis;

/// Bytes from the start of a batch to its first record.
pub(crate) const HEADER_BYTES: usize = 61;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;

const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// `compression.type` zstd, which Produce knows from version 7 on.
pub(crate) const CODEC_ZSTD: i16 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: Millis,
    pub(crate) max_timestamp: Millis,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

impl BatchHeader {
    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(crate) fn codec(&self) -> i16 {
        self.attributes & CODEC_MASK
    }

    pub(crate) fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }

    /// The last record's sequence number; sequences wrap from `i32::MAX` to 0.
    pub(crate) fn last_sequence(&self) -> i32 {
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }

    /// Reads and checks what a client sent for one partition: exactly one whole batch of data records.
    ///
    /// # Errors
    /// What Apache Kafka answers: `CORRUPT_MESSAGE` for a bad length or checksum, `INVALID_RECORD` for the rest.
    pub(crate) fn of_client(data: &[u8]) -> Result<Self, ResponseError> {
        let header = Self::parse(data)?;
        if header.attributes & CONTROL != 0
            || header.record_count <= 0
            || header.last_offset_delta.checked_add(1) != Some(header.record_count)
            || (header.has_producer() && header.base_sequence < 0)
            || (header.is_transactional() && !header.has_producer())
            || header.codec() > CODEC_ZSTD
        {
            return Err(ResponseError::InvalidRecord);
        }
        Ok(header)
    }

    fn parse(data: &[u8]) -> Result<Self, ResponseError> {
        if data.len() < HEADER_BYTES {
            return Err(if data.is_empty() { ResponseError::InvalidRecord } else { ResponseError::CorruptMessage });
        }
        let length = usize::try_from(i32_at(data, 8)).map_err(|_| ResponseError::CorruptMessage)? + 12;
        if length > data.len() || length < HEADER_BYTES {
            return Err(ResponseError::CorruptMessage);
        }
        if length < data.len() || data[MAGIC_AT] != 2 {
            return Err(ResponseError::InvalidRecord);
        }
        if crc32c::crc32c(&data[CRC_FROM..]) != u32::from_be_bytes(array_at(data, CRC_AT)) {
            return Err(ResponseError::CorruptMessage);
        }
        Ok(Self {
            attributes: i16::from_be_bytes(array_at(data, 21)),
            last_offset_delta: i32_at(data, 23),
            base_timestamp: i64_at(data, 27),
            max_timestamp: i64_at(data, MAX_TIMESTAMP_AT),
            producer_id: i64_at(data, 43),
            producer_epoch: i16::from_be_bytes(array_at(data, 51)),
            base_sequence: i32_at(data, 53),
            record_count: i32_at(data, 57),
        })
    }
}

/// A private copy of a batch at its place in the log. The copy also frees the request's buffer, which may be much larger.
///
/// With `stamp` all its records have that time, whatever they say themselves.
pub(crate) fn placed(data: &[u8], base_offset: i64, leader_epoch: i32, stamp: Option<Millis>) -> Bytes {
    let mut copy = BytesMut::with_capacity(data.len());
    copy.put_i64(base_offset);
    copy.put_slice(&data[8..12]);
    copy.put_i32(leader_epoch);
    copy.put_slice(&data[16..]);
    if let Some(stamp) = stamp {
        let attributes = i16::from_be_bytes(array_at(data, CRC_FROM)) | LOG_APPEND_TIME;
        copy[CRC_FROM..CRC_FROM + 2].copy_from_slice(&attributes.to_be_bytes());
        copy[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&stamp.to_be_bytes());
        let checksum = crc32c::crc32c(&copy[CRC_FROM..]);
        copy[CRC_AT..CRC_FROM].copy_from_slice(&checksum.to_be_bytes());
    }
    copy.freeze()
}

/// The control batch that ends a transaction: one record, key {version 0, type 0 abort | 1 commit}, value {version 0, coordinator epoch 0}.
pub(crate) fn marker(base_offset: i64, producer: (i64, i16), commit: bool, now: Millis) -> Bytes {
    let mut checked = BytesMut::with_capacity(HEADER_BYTES + 17 - CRC_FROM);
    checked.put_i16(TRANSACTIONAL | CONTROL);
    checked.put_i32(0); // last offset delta
    checked.put_i64(now);
    checked.put_i64(now);
    checked.put_i64(producer.0);
    checked.put_i16(producer.1);
    checked.put_i32(-1); // no sequence
    checked.put_i32(1); // one record
    checked.put_slice(&[32, 0, 0, 0, 8]); // zigzag: body of 16 bytes; attributes, deltas; key of 4 bytes
    checked.put_i16(0);
    checked.put_i16(i16::from(commit));
    checked.put_u8(12); // zigzag: value of 6 bytes
    checked.put_i16(0);
    checked.put_i32(0);
    checked.put_u8(0); // no headers

    let mut batch = BytesMut::with_capacity(CRC_FROM + checked.len());
    batch.put_i64(base_offset);
    batch.put_i32(i32::try_from(9 + checked.len()).expect("a marker has 78 bytes"));
    batch.put_i32(0); // leader epoch
    batch.put_u8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.put_slice(&checked);
    batch.freeze()
}

/// Offset and timestamp of the first record in a stored batch whose timestamp is at least `target`, from offset `from` on.
///
/// A batch that cannot be opened answers with its last record: batches are stored unopened, so a client may have sent rubbish.
pub(crate) fn first_record_from(batch: &Bytes, target: Millis, from: i64) -> Option<(i64, Millis)> {
    let header = BatchHeader::parse(batch).ok()?;
    let base_offset = i64_at(batch, 0);
    let last = (base_offset + i64::from(header.last_offset_delta), header.max_timestamp);
    if header.attributes & LOG_APPEND_TIME != 0 {
        return (header.max_timestamp >= target).then_some((base_offset.max(from), header.max_timestamp));
    }
    let Some(records) = records_of(batch, header.codec()) else { return Some(last) };
    let mut rest = records.as_ref();
    for _ in 0..header.record_count {
        let Some((offset_delta, timestamp_delta)) = next_record(&mut rest) else { return Some(last) };
        let (offset, timestamp) = (base_offset + offset_delta, header.base_timestamp.wrapping_add(timestamp_delta));
        if timestamp >= target && offset >= from {
            return Some((offset, timestamp));
        }
    }
    None
}

fn records_of(batch: &Bytes, codec: i16) -> Option<Bytes> {
    let mut packed = batch.slice(HEADER_BYTES..);
    match codec {
        0 => Some(packed),
        1 => <Gzip as Decompressor<Bytes>>::decompress(&mut packed, |b| Ok(Bytes::copy_from_slice(b))).ok(),
        2 => <Snappy as Decompressor<Bytes>>::decompress(&mut packed, |b| Ok(Bytes::copy_from_slice(b))).ok(),
        3 => <Lz4 as Decompressor<Bytes>>::decompress(&mut packed, |b| Ok(Bytes::copy_from_slice(b))).ok(),
        CODEC_ZSTD => <Zstd as Decompressor<Bytes>>::decompress(&mut packed, |b| Ok(Bytes::copy_from_slice(b))).ok(),
        _ => None,
    }
}

/// The next record without its length; `None` at the end or on rubbish.
fn next_record_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(rest)?).ok()?;
    let (record, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(record)
}

/// Offset delta and timestamp delta of the next record; `None` at the end or on rubbish.
fn next_record(rest: &mut &[u8]) -> Option<(i64, i64)> {
    let mut record = next_record_bytes(rest)?.get(1..)?; // attributes
    let timestamp_delta = varint(&mut record)?;
    let offset_delta = varint(&mut record)?;
    Some((offset_delta, timestamp_delta))
}

/// A zigzag varint of up to 64 bits.
fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

fn array_at<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&data[at..at + N]);
    out
}

fn i32_at(data: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(array_at(data, at))
}

fn i64_at(data: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(array_at(data, at))
}
