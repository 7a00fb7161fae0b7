//! The outline of every request, so that a malformed one is refused before anything is allocated for it.
//!
//! `kafka-protocol` trusts the element counts inside a request: a count of two thousand million makes it reserve that much
//! memory, which ends the process. So a request is first walked along its outline; counts that the bytes at hand cannot
//! hold, lengths past the end and bytes left over are all refused. Source of the outlines: Kafka's message definitions.
//!
//! Notation: `i1 i2 i4 i8` numbers of that many bytes, `u` uuid, `s` string, `d` bytes, `( .. )` array of bare values,
//! `[ .. ]` array of structures. `@3` after an element: from version 3 on; `@3-5`: in these versions only; `@-3`: up to 3.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use kafka_protocol::messages::ApiKey;

/// Api, first version with compact ("flexible") encoding, outline of the body.
const OUTLINES: [(ApiKey, i16, &str); 26] = [
    (ApiKey::Produce, 9, "s i2 i4 [ s [ i4 d ] ]"),
    (
        ApiKey::Fetch,
        12,
        "i4@-14 i4 i4 i4 i1 i4@7 i4@7 [ s@-12 u@13 [ i4 i4@9 i8 i4@12 i8@5 i4 ] ] [ s@-12 u@13 ( i4 ) ]@7 s@11",
    ),
    (ApiKey::ListOffsets, 6, "i4 i1@2 [ s [ i4 i4@4 i8 ] ] i4@10"),
    (ApiKey::Metadata, 9, "[ u@10 s ] i1@4 i1@8-10 i1@8"),
    (ApiKey::OffsetCommit, 8, "s i4 s s@7 i8@-4 [ s [ i4 i8 i4@6 s ] ]"),
    (ApiKey::OffsetFetch, 6, "s@-7 [ s ( i4 ) ]@-7 [ s s@9 i4@9 [ s ( i4 ) ] ]@8 i1@7"),
    (ApiKey::FindCoordinator, 3, "s@-3 i1@1 ( s )@4"),
    (ApiKey::JoinGroup, 6, "s i4 i4@1 s s@5 s [ s d ] s@8"),
    (ApiKey::Heartbeat, 4, "s i4 s s@3"),
    (ApiKey::LeaveGroup, 4, "s s@-2 [ s s s@5 ]@3"),
    (ApiKey::SyncGroup, 4, "s i4 s s@3 s@5 s@5 [ s d ]"),
    (ApiKey::DescribeGroups, 5, "( s ) i1@3"),
    (ApiKey::ListGroups, 3, "( s )@4 ( s )@5"),
    (ApiKey::ApiVersions, 3, "s@3 s@3"),
    (ApiKey::CreateTopics, 5, "[ s i4 i2 [ i4 ( i4 ) ] [ s s ] ] i4 i1"),
    (ApiKey::DeleteTopics, 4, "[ s u ]@6 ( s )@-5 i4"),
    (ApiKey::DeleteRecords, 2, "[ s [ i4 i8 ] ] i4"),
    (ApiKey::InitProducerId, 2, "s i4 i8@3 i2@3"),
    (ApiKey::OffsetForLeaderEpoch, 4, "i4@3 [ s [ i4 i4 i4 ] ]"),
    (ApiKey::AddPartitionsToTxn, 3, "s i8 i2 [ s ( i4 ) ]"),
    (ApiKey::AddOffsetsToTxn, 3, "s i8 i2 s"),
    (ApiKey::EndTxn, 3, "s i8 i2 i1"),
    (ApiKey::TxnOffsetCommit, 3, "s s i8 i2 i4@3 s@3 s@3 [ s [ i4 i8 i4@2 s ] ]"),
    (ApiKey::DescribeConfigs, 4, "[ i1 s ( s ) ] i1 i1@3"),
    (ApiKey::CreatePartitions, 2, "[ s i4 [ ( i4 ) ] ] i4 i1"),
    (ApiKey::DeleteGroups, 2, "( s )"),
];

#[derive(Debug)]
enum ElementType {
    Fixed(usize),
    Text,
    Blob,
    Array { of: Vec<Element>, structs: bool },
}

#[derive(Debug)]
struct Element {
    element_type: ElementType,
    versions: RangeInclusive<i16>,
}

/// Why a request is refused; the words go to the log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("ends too early")]
    Short,
    #[error("invalid counts or lengths")]
    Length,
    #[error("too many items")]
    Items,
    #[error("{0} bytes after its end")]
    Trailing(usize),
    #[error("no outline for this api")]
    Unknown,
}

/// All outlines, parsed once.
#[derive(Debug)]
pub(crate) struct Shapes {
    by_api: HashMap<i16, (i16, Vec<Element>)>,
    items_max: usize,
}

impl Shapes {
    pub(crate) fn new(items_max: usize) -> Self {
        let parsed = OUTLINES.iter().map(|(api, flexible, outline)| {
            let mut words = outline.split_whitespace();
            (*api as i16, (*flexible, parse(&mut words)))
        });
        let mut by_api: HashMap<i16, (i16, Vec<Element>)> = parsed.collect();
        by_api.insert(ApiKey::DescribeCluster as i16, (0, parse(&mut "i1 i1@1 i1@2".split_whitespace())));
        Self { by_api, items_max }
    }

    /// Walks a request body (without its header) from end to end.
    pub(crate) fn check(&self, api: ApiKey, version: i16, body: &[u8]) -> Result<(), Malformed> {
        let (flexible_from, elements) = self.by_api.get(&(api as i16)).ok_or(Malformed::Unknown)?;
        let mut walk = Walk { rest: body, version, flexible: version >= *flexible_from, items_left: self.items_max };
        walk.structure(elements)?;
        // librdkafka from 2.12 on writes three bytes too many when it asks for all topics; Apache Kafka reads past them.
        let is_lenient = api == ApiKey::Metadata;
        if walk.rest.is_empty() || is_lenient { Ok(()) } else { Err(Malformed::Trailing(walk.rest.len())) }
    }
}

/// Reads elements up to the closing bracket or the end of the words.
fn parse<'a>(words: &mut impl Iterator<Item = &'a str>) -> Vec<Element> {
    let mut elements = Vec::new();
    while let Some(word) = words.next() {
        let (name, versions) = word.split_once('@').unwrap_or((word, ""));
        let element_type = match name {
            "i1" => ElementType::Fixed(1),
            "i2" => ElementType::Fixed(2),
            "i4" => ElementType::Fixed(4),
            "i8" => ElementType::Fixed(8),
            "u" => ElementType::Fixed(16),
            "s" => ElementType::Text,
            "d" => ElementType::Blob,
            "(" | "[" => ElementType::Array { of: parse(words), structs: name == "[" },
            _ => {
                // A closing bracket; its versions belong to the array, which the caller is about to push.
                elements.push(Element { element_type: ElementType::Fixed(0), versions: range(versions) });
                return elements;
            }
        };
        let versions = match &element_type {
            ElementType::Array { of, .. } => of.last().map_or(0..=i16::MAX, |close| close.versions.clone()),
            _ => range(versions),
        };
        elements.push(Element { element_type, versions });
    }
    elements
}

fn range(written: &str) -> RangeInclusive<i16> {
    let (from, to) = written.split_once('-').unwrap_or((written, ""));
    from.parse().unwrap_or(0)..=to.parse().unwrap_or(i16::MAX)
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
    items_left: usize,
}

impl Walk<'_> {
    fn structure(&mut self, elements: &[Element]) -> Result<(), Malformed> {
        self.elements(elements)?;
        if self.flexible { self.tags() } else { Ok(()) }
    }

    fn elements(&mut self, elements: &[Element]) -> Result<(), Malformed> {
        let version = self.version;
        for element in elements.iter().filter(|element| element.versions.contains(&version)) {
            match &element.element_type {
                ElementType::Fixed(bytes) => self.skip(*bytes)?,
                ElementType::Text => {
                    let length = if self.flexible { self.compact_length()? } else { self.short_length()? };
                    self.skip(length.unwrap_or(0))?;
                }
                ElementType::Blob => {
                    let length = if self.flexible { self.compact_length()? } else { self.long_length()? };
                    self.skip(length.unwrap_or(0))?;
                }
                ElementType::Array { of, structs } => self.array(of, *structs)?,
            }
        }
        Ok(())
    }

    fn array(&mut self, of: &[Element], structs: bool) -> Result<(), Malformed> {
        let length = if self.flexible { self.compact_length()? } else { self.long_length()? };
        let count = length.unwrap_or(0);
        self.items_left = self.items_left.checked_sub(count).ok_or(Malformed::Items)?;
        for _ in 0..count {
            if structs {
                self.structure(of)?;
            } else {
                self.elements(of)?;
            }
        }
        Ok(())
    }

    fn tags(&mut self) -> Result<(), Malformed> {
        let count = self.varint()?;
        self.items_left = self.items_left.checked_sub(count).ok_or(Malformed::Items)?;
        for _ in 0..count {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length)?;
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.rest = self.rest.get(bytes..).ok_or(Malformed::Short)?;
        Ok(())
    }

    fn short_length(&mut self) -> Result<Option<usize>, Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk::<2>().ok_or(Malformed::Short)?;
        self.rest = rest;
        nullable(i16::from_be_bytes(*bytes).into())
    }

    fn long_length(&mut self) -> Result<Option<usize>, Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>().ok_or(Malformed::Short)?;
        self.rest = rest;
        nullable(i32::from_be_bytes(*bytes).into())
    }

    fn compact_length(&mut self) -> Result<Option<usize>, Malformed> {
        Ok(self.varint()?.checked_sub(1))
    }

    fn varint(&mut self) -> Result<usize, Malformed> {
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed::Short)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|_| Malformed::Length);
            }
        }
        Err(Malformed::Length)
    }
}

fn nullable(length: i64) -> Result<Option<usize>, Malformed> {
    match length {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| Malformed::Length),
    }
}
