//! The bytes of counts: LEB128 numbers behind a version byte, compressed with zstd.
//!
//! What is read may have been damaged or made up: no length is believed before as many bytes are there, and what is
//! unpacked is bounded by [`UNPACKED_BYTES_MAX`].

use std::io::{Read, Write};

/// The format that is written. A change of anything that is written needs another number.
const VERSION: u8 = 1;

/// zstd's own default: higher levels gain 2 % here and cost several times the time.
const LEVEL: i32 = 3;

/// Some ten times what a window of 10 million events takes; it bounds what an invented value makes a reader allocate.
const UNPACKED_BYTES_MAX: u64 = 32 << 20;

/// Bytes that hold no counts.
#[derive(Debug, thiserror::Error)]
pub enum CountsError {
    #[error("read counts: no bytes")]
    Empty,
    #[error("read counts of format {found}; this version reads format {VERSION}")]
    Version { found: u8 },
    #[error("unpack counts")]
    Unpack(#[source] std::io::Error),
    #[error("read counts that unpack to more than {UNPACKED_BYTES_MAX} bytes")]
    TooLarge,
    #[error("read counts: {0}")]
    Corrupt(&'static str),
}

/// Writes numbers and texts.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// LEB128: seven bits a byte, lowest first.
    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        #[expect(clippy::cast_possible_truncation, reason = "seven bits are left")]
        self.bytes.push(number as u8);
    }

    /// Small magnitudes of either sign become small numbers (zigzag).
    pub(crate) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    /// The version byte, and the rest compressed, with a checksum.
    pub(crate) fn finish(self) -> Vec<u8> {
        let pack = || {
            let mut encoder = zstd::stream::write::Encoder::new(vec![VERSION], LEVEL)?;
            encoder.include_checksum(true)?;
            encoder.write_all(&self.bytes)?;
            encoder.finish()
        };
        pack().expect("zstd compresses any bytes into memory at its default level")
    }
}

/// Unpacks what [`Writer::finish`] gave.
///
/// # Errors
/// [`CountsError`] says what is wrong with the bytes.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, CountsError> {
    let (version, packed) = bytes.split_first().ok_or(CountsError::Empty)?;
    if *version != VERSION {
        return Err(CountsError::Version { found: *version });
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(CountsError::Unpack)?.single_frame();
    let mut unpacked = Vec::new();
    decoder.by_ref().take(UNPACKED_BYTES_MAX + 1).read_to_end(&mut unpacked).map_err(CountsError::Unpack)?;
    if unpacked.len() as u64 > UNPACKED_BYTES_MAX {
        return Err(CountsError::TooLarge);
    }
    if !decoder.finish().is_empty() {
        return Err(CountsError::Corrupt("bytes after the end"));
    }
    Ok(unpacked)
}

/// Reads numbers and texts.
pub(crate) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(crate) fn number(&mut self) -> Result<u64, CountsError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.raw(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(CountsError::Corrupt("a number beyond 64 bits"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                // A zero that adds nothing would let one value be written in two ways.
                let shortest = byte != 0 || shift == 0;
                return shortest.then_some(number).ok_or(CountsError::Corrupt("a number that is written too long"));
            }
        }
        Err(CountsError::Corrupt("a number beyond 64 bits"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, CountsError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// How many things follow, each of at least one byte: never more than there are bytes.
    pub(crate) fn length(&mut self) -> Result<usize, CountsError> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > self.left.len() {
            return Err(CountsError::Corrupt("a length beyond the end"));
        }
        Ok(length)
    }

    pub(crate) fn raw(&mut self, length: usize) -> Result<&'a [u8], CountsError> {
        let (read, left) = self.left.split_at_checked(length).ok_or(CountsError::Corrupt("they end too early"))?;
        self.left = left;
        Ok(read)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CountsError> {
        let length = self.length()?;
        std::str::from_utf8(self.raw(length)?).map_err(|_| CountsError::Corrupt("a name that is not UTF-8"))
    }

    /// Nothing may be left over.
    pub(crate) fn end(self) -> Result<(), CountsError> {
        if self.left.is_empty() { Ok(()) } else { Err(CountsError::Corrupt("bytes after the end")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in prop::collection::vec(any::<u64>(), 0..20), signed in any::<i64>(), text in ".*") {
            let mut writer = Writer::default();
            numbers.iter().for_each(|number| writer.number(*number));
            writer.signed(signed);
            writer.text(&text);
            let bytes = unpack(&writer.finish()).expect("our own bytes");
            let mut reader = Reader::new(&bytes);
            for number in numbers {
                prop_assert_eq!(reader.number().expect("written"), number);
            }
            prop_assert_eq!(reader.signed().expect("written"), signed);
            prop_assert_eq!(reader.text().expect("written"), text);
            reader.end().expect("nothing is left");
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        for (bytes, expected) in [
            (&[0x00][..], Some(0)),
            (&[0x7f], Some(127)),
            (&[0x80, 0x01], Some(128)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Some(u64::MAX)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], None),
            (&[0x80, 0x00], None),
            (&[0x80], None),
            (&[], None),
        ] {
            assert_eq!(Reader::new(bytes).number().ok(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bytes = vec![0; usize::try_from(UNPACKED_BYTES_MAX).expect("64 bits") + 1];
        let writer = Writer { bytes };
        assert!(matches!(unpack(&writer.finish()), Err(CountsError::TooLarge)));
        assert!(matches!(unpack(&[]), Err(CountsError::Empty)));
        assert!(matches!(unpack(&[9, 1, 2]), Err(CountsError::Version { found: 9 })));
        assert!(matches!(unpack(&[VERSION, 1, 2]), Err(CountsError::Unpack(_))));
    }
}
