//! Predictions as bytes of the state topic: by columns, because columns of one kind compress well.
//!
//! Little endian: version, max-id flag and counts, the label texts that occur, then per prediction its id hash, its time,
//! its label and its score. Equal predictions give equal bytes. Not compressed here: that is for the record's writer.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::predictions::{IdHash, Prediction, Predictions, SCORE_STEPS};

/// The first byte. Another layout takes the next number; records live as long as the time to label.
const VERSION: u8 = 1;
/// Stands for "no label": the model abstained.
const ABSTAINED: u32 = u32::MAX;
/// Stands for "no score".
const UNSCORED: u16 = u16::MAX;

/// Bytes that are no predictions of a version that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("read predictions of version {0}: only version {VERSION} is known")]
    Version(u8),
    #[error("read predictions that end too early")]
    Short,
    #[error("read predictions with {0} bytes too many")]
    Long(usize),
    #[error("read predictions with a label, a score or an id that cannot be")]
    Value,
}

impl Predictions {
    pub fn encode(&self) -> Vec<u8> {
        let mut labels: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
        labels.extend(self.sample().filter_map(|(_, prediction)| prediction.label.as_ref()).map(|label| (label, 0)));
        for (number, place) in (0..).zip(labels.values_mut()) {
            *place = number;
        }
        let mut bytes = vec![VERSION, u8::from(self.dropped().is_some())];
        bytes.extend(self.dropped().map_or(0, |id| id.0).to_le_bytes());
        for count in [self.events(), self.events_without_id(), self.len() as u64, labels.len() as u64] {
            bytes.extend(count.to_le_bytes());
        }
        for label in labels.keys() {
            bytes.extend((label.len() as u64).to_le_bytes());
            bytes.extend(label.as_bytes());
        }
        for (id, _) in self.sample() {
            bytes.extend(id.0.to_le_bytes());
        }
        for (_, prediction) in self.sample() {
            bytes.extend(prediction.time_ms.to_le_bytes());
        }
        for (_, prediction) in self.sample() {
            let label = prediction.label.as_ref().and_then(|label| labels.get(label).copied());
            bytes.extend(label.unwrap_or(ABSTAINED).to_le_bytes());
        }
        for (_, prediction) in self.sample() {
            bytes.extend(prediction.score.unwrap_or(UNSCORED).to_le_bytes());
        }
        bytes
    }

    /// # Errors
    /// When the bytes are not what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = Reader(bytes);
        match rest.array::<1>()? {
            [VERSION] => {}
            [other] => return Err(DecodeError::Version(other)),
        }
        let is_dropped = match rest.array::<1>()? {
            [0] => false,
            [1] => true,
            _ => return Err(DecodeError::Value),
        };
        let dropped = IdHash(u64::from_le_bytes(rest.array()?));
        let (events, events_without_id) = (rest.count()?, rest.count()?);
        let (len, label_count) = (rest.length()?, rest.length()?);
        let labels = (0..label_count).map(|_| rest.text()).collect::<Result<Vec<_>, _>>()?;
        let ids = rest.column::<8>(len)?.map(|id| IdHash(u64::from_le_bytes(id)));
        let times = rest.column::<8>(len)?.map(i64::from_le_bytes);
        let places = rest.column::<4>(len)?.map(u32::from_le_bytes);
        let scores = rest.column::<2>(len)?.map(u16::from_le_bytes);
        if !rest.0.is_empty() {
            return Err(DecodeError::Long(rest.0.len()));
        }
        let mut predictions = Self::restore(events, events_without_id, is_dropped.then_some(dropped));
        for (((id, time_ms), place), score) in ids.zip(times).zip(places).zip(scores) {
            let label = match place {
                ABSTAINED => None,
                place => Some(labels.get(place as usize).ok_or(DecodeError::Value)?),
            };
            let score = match score {
                UNSCORED => None,
                score if score <= SCORE_STEPS => Some(score),
                _ => return Err(DecodeError::Value),
            };
            predictions.keep(id, Prediction { time_ms, label: label.cloned(), score });
        }
        if predictions.len() == len { Ok(predictions) } else { Err(DecodeError::Value) }
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.bytes(N)?.try_into().map_err(|_| DecodeError::Short)
    }

    fn count(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count of things that take at least a byte each, so that a broken one cannot ask for memory.
    fn length(&mut self) -> Result<usize, DecodeError> {
        let length = usize::try_from(self.count()?).map_err(|_| DecodeError::Short)?;
        if length <= self.0.len() { Ok(length) } else { Err(DecodeError::Short) }
    }

    fn text(&mut self) -> Result<Arc<str>, DecodeError> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).map(Arc::from).map_err(|_| DecodeError::Value)
    }

    fn column<const N: usize>(&mut self, len: usize) -> Result<impl Iterator<Item = [u8; N]> + use<'a, N>, DecodeError> {
        let column = self.bytes(len.checked_mul(N).ok_or(DecodeError::Short)?)?;
        Ok(column.as_chunks::<N>().0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;

    use super::*;

    fn predictions(events: &[(Option<u8>, Option<u8>, Option<u16>, i64)]) -> Predictions {
        let mut predictions = Predictions::default();
        for (id, label, score, time_ms) in events {
            let id = id.map(|id| format!("id-{id}"));
            let label = label.map(|label| Arc::from(format!("label {label}").as_str()));
            let prediction = Prediction { time_ms: *time_ms, label, score: *score };
            predictions.add(id.as_deref(), prediction, NonZeroUsize::new(20).expect("not zero"));
        }
        predictions
    }

    proptest! {
        #[test]
        fn come_back_as_they_went(
            events in prop::collection::vec(
                (any::<Option<u8>>(), any::<Option<u8>>(), prop::option::of(0..=SCORE_STEPS), any::<i64>()), 0..60)
        ) {
            let before = predictions(&events);
            let bytes = before.encode();
            let after = Predictions::decode(&bytes).expect("our own bytes");
            prop_assert_eq!(after.encode(), bytes);
            prop_assert!(after.sample().eq(before.sample()));
            prop_assert_eq!(after.sampled_share(), before.sampled_share());
            prop_assert_eq!((after.events(), after.events_without_id()), (before.events(), before.events_without_id()));
        }

        #[test]
        fn broken_bytes_are_an_error_and_never_a_panic(
            events in prop::collection::vec((any::<Option<u8>>(), any::<Option<u8>>(), Just(Some(7)), Just(5)), 1..9),
            cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(), bit in 0..8u32
        ) {
            let bytes = predictions(&events).encode();
            prop_assert!(Predictions::decode(&bytes[..cut.index(bytes.len())]).is_err());
            let mut flipped = bytes.clone();
            flipped[flip.index(bytes.len())] ^= 1 << bit;
            if let Ok(other) = Predictions::decode(&flipped) {
                prop_assert!(other.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = Predictions::default().encode();
        bytes[0] = 2;
        assert_eq!(Predictions::decode(&bytes), Err(DecodeError::Version(2)));
        bytes[0] = VERSION;
        bytes.push(0);
        assert_eq!(Predictions::decode(&bytes), Err(DecodeError::Long(1)));
    }
}
