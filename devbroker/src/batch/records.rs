//! A batch opened: its records one by one, as far as compaction asks, and the same batch with some of them left out.
//!
//! What stays keeps its offset, and the batch its header: only the number of records, the length and the checksum
//! change, and compression goes. Offsets that are left out become a gap, as Apache Kafka's cleaner makes them.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    BatchHeader, CODEC_MASK, CONTROL, CRC_FROM, HEADER_BYTES, Millis, i64_at, next_record_bytes, records_of, varint,
};

/// One record inside an opened batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) offset: i64,
    pub(crate) timestamp: Millis,
    pub(crate) key: Option<Bytes>,
    /// Without a value it removes its key.
    pub(crate) has_value: bool,
    /// As packed, its length before it.
    packed: Bytes,
}

/// A batch with its records unpacked.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) header: BatchHeader,
    pub(crate) is_control: bool,
    pub(crate) records: Vec<Record>,
    batch: Bytes,
}

/// Opens a batch; `None` when a client packed rubbish into it, which a broker stores unopened.
pub(crate) fn open(batch: &Bytes) -> Option<Opened> {
    let header = BatchHeader::parse(batch).ok()?;
    let unpacked = records_of(batch, header.codec())?;
    let base_offset = i64_at(batch, 0);
    let mut rest = unpacked.as_ref();
    let mut records = Vec::new();
    for _ in 0..header.record_count {
        let before = rest;
        let mut body = next_record_bytes(&mut rest)?.get(1..)?; // attributes
        let timestamp = header.base_timestamp.wrapping_add(varint(&mut body)?);
        let offset = base_offset + varint(&mut body)?;
        let key = field(&mut body)?.map(|key| unpacked.slice_ref(key));
        let has_value = field(&mut body)?.is_some();
        let packed = unpacked.slice_ref(&before[..before.len() - rest.len()]);
        records.push(Record { offset, timestamp, key, has_value, packed });
    }
    Some(Opened { header, is_control: header.attributes & CONTROL != 0, records, batch: batch.clone() })
}

impl Opened {
    /// The batch with those records only that `keep` names; `None` when none is left.
    pub(crate) fn keeping(&self, keep: impl Fn(&Record) -> bool) -> Option<Bytes> {
        let kept: Vec<_> = self.records.iter().filter(|record| keep(record)).collect();
        if kept.is_empty() {
            return None;
        }
        if kept.len() == self.records.len() {
            return Some(self.batch.clone());
        }
        let bytes: usize = kept.iter().map(|record| record.packed.len()).sum();
        let mut checked = BytesMut::with_capacity(HEADER_BYTES - CRC_FROM + bytes);
        checked.put_i16(self.header.attributes & !CODEC_MASK);
        checked.put_slice(&self.batch[CRC_FROM + 2..HEADER_BYTES - 4]);
        checked.put_i32(i32::try_from(kept.len()).ok()?);
        kept.iter().for_each(|record| checked.put_slice(&record.packed));
        let mut batch = BytesMut::with_capacity(CRC_FROM + checked.len());
        batch.put_slice(&self.batch[..8]);
        batch.put_i32(i32::try_from(CRC_FROM - 12 + checked.len()).ok()?);
        batch.put_slice(&self.batch[12..17]);
        batch.put_u32(crc32c::crc32c(&checked));
        batch.put_slice(&checked);
        Some(batch.freeze())
    }
}

/// A field with its length before it, -1 for null; the outer `None` is rubbish.
fn field<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint(rest)?;
    if length < 0 {
        return Some(None);
    }
    let (field, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Some(field))
}
