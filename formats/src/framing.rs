//! Payloads that begin with a schema registry's frame: Avro, Protobuf or JSON Schema behind an id, which nothing here decodes.
//!
//! No JSON and no text begins with these bytes, so they are recognised before anything else is read of a payload, whatever
//! follows them.

use std::fmt;

/// A frame that names the schema of the bytes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Confluent's and Apicurio's: byte 0, then the schema's id as four bytes, most significant first.
    Confluent { schema_id: u32 },
    /// AWS Glue's: byte 3, the compression (0 or 5), then the id of the schema's version, a UUID.
    Glue,
}

/// Bytes before the value.
const CONFLUENT_BYTES: usize = 5;
const GLUE_BYTES: usize = 18;

impl Frame {
    /// The frame that a payload begins with.
    pub fn of(payload: &[u8]) -> Option<Self> {
        match payload {
            [0, a, b, c, d, ..] => Some(Self::Confluent { schema_id: u32::from_be_bytes([*a, *b, *c, *d]) }),
            [3, 0 | 5, ..] if payload.len() >= GLUE_BYTES => Some(Self::Glue),
            _ => None,
        }
    }

    /// Bytes that the frame takes, up to the value.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Confluent { .. } => CONFLUENT_BYTES,
            Self::Glue => GLUE_BYTES,
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confluent { schema_id } => {
                write!(f, "the frame of a schema registry (byte 0, then schema id {schema_id})")
            }
            Self::Glue => f.write_str("the frame of the AWS Glue schema registry"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_told_by_its_first_bytes_whatever_follows() {
        let confluent = |schema_id| Some(Frame::Confluent { schema_id });
        let glue = [&[3, 0][..], &[0x7a; 16], b"{\"text\":\"hi\"}"].concat();
        for (payload, expected) in [
            (&b"\0\0\0\0\x01\x02hi"[..], confluent(1)),
            (b"\0\0\x01\x86\xa1{\"text\":\"hi\"}", confluent(100_001)),
            (b"\0\x7f\x7f\x7f\x7f", confluent(0x7f7f_7f7f)),
            (b"\0\xff\xff\xff\xff\xff", confluent(u32::MAX)),
            (b"\0\0\0\0", None),
            (b"{\"text\":\"hi\"}", None),
            (b"", None),
            (&glue, Some(Frame::Glue)),
            (&glue[..17], None),
            (b"\x03\x01hello hello hello hello", None),
        ] {
            assert_eq!(Frame::of(payload), expected, "{payload:?}");
        }
        assert!(Frame::Glue.to_string().contains("Glue"));
    }
}
