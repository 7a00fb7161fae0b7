//! Predictions as bytes of the state topic, in the coding of counts.
//!
//! By columns, because columns of one kind compress well: the labels and models that occur, then of all predictions the id hash
//! (as the step from the one before), the event time (as the distance from the earliest), the label, the score and the
//! model. Equal predictions give equal bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::predictions::{EventPrediction, IdHash, Predictions, SCORE_STEPS};
use crate::counts::CountsError;
use crate::counts::coding::{Reader, Writer, unpack};

const UNLISTED: CountsError = CountsError::Corrupt("a label or a model beyond those that are listed");
const NO_SCORE: CountsError = CountsError::Corrupt("a score above 1");
const OUT_OF_ORDER: CountsError = CountsError::Corrupt("ids that do not ascend");

impl Predictions {
    /// Bytes that [`Self::decode`] reads.
    pub fn encode(&self) -> Vec<u8> {
        let labels = numbered(self.sample().filter_map(|(_, prediction)| prediction.label.as_ref()));
        let models = numbered(self.sample().map(|(_, prediction)| &prediction.model));
        let mut writer = Writer::default();
        // The smallest hash is dropped only where nothing at all is kept: 0 stands for none.
        writer.number(self.dropped().map_or(0, |id| id.0));
        writer.number(self.events());
        writer.number(self.events_without_id());
        for texts in [&labels, &models] {
            writer.number(texts.len() as u64);
            texts.keys().for_each(|text| writer.text(text));
        }
        writer.number(self.len() as u64);
        let mut before = 0;
        for (id, _) in self.sample() {
            writer.number(id.0 - before);
            before = id.0;
        }
        let first_ms = self.sample().map(|(_, prediction)| prediction.time_ms).min().unwrap_or_default();
        writer.signed(first_ms);
        for (_, prediction) in self.sample() {
            writer.number(prediction.time_ms.abs_diff(first_ms));
        }
        for (_, prediction) in self.sample() {
            writer.number(prediction.label.as_ref().and_then(|label| labels.get(label).copied()).unwrap_or_default());
        }
        for (_, prediction) in self.sample() {
            writer.number(prediction.score.map_or(0, |score| u64::from(score) + 1));
        }
        for (_, prediction) in self.sample() {
            writer.number(models.get(&prediction.model).copied().unwrap_or_default());
        }
        writer.finish()
    }

    /// # Errors
    /// When the bytes are not what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, CountsError> {
        let bytes = unpack(bytes)?;
        let mut reader = Reader::new(&bytes);
        let dropped = Some(reader.number()?).filter(|hash| *hash > 0).map(IdHash);
        let (events, events_without_id) = (reader.number()?, reader.number()?);
        let (labels, models) = (texts(&mut reader)?, texts(&mut reader)?);
        let len = reader.length()?;
        let mut ids = Vec::with_capacity(len);
        for _ in 0..len {
            let before: u64 = ids.last().copied().unwrap_or_default();
            let step = reader.number()?;
            let is_next = step > 0 || ids.is_empty();
            ids.push(before.checked_add(step).filter(|_| is_next).ok_or(OUT_OF_ORDER)?);
        }
        let first_ms = reader.signed()?;
        let times = column(&mut reader, len)?;
        let places = column(&mut reader, len)?;
        let scores = column(&mut reader, len)?;
        let numbers = column(&mut reader, len)?;
        reader.end()?;
        let mut predictions = Self::restore(events, events_without_id, dropped);
        for ((((id, time), place), score), number) in ids.into_iter().zip(times).zip(places).zip(scores).zip(numbers) {
            let time_ms = first_ms.checked_add_unsigned(time).ok_or(CountsError::Corrupt("a time beyond all times"))?;
            let label = if place == 0 { None } else { Some(listed(&labels, place)?) };
            let model = listed(&models, number)?;
            let score = match score.checked_sub(1) {
                None => None,
                Some(score) => Some(u16::try_from(score).ok().filter(|steps| *steps <= SCORE_STEPS).ok_or(NO_SCORE)?),
            };
            predictions.keep(IdHash(id), EventPrediction { time_ms, label, score, model });
        }
        let is_whole = predictions.len() == len && events_without_id <= events;
        is_whole.then_some(predictions).ok_or(CountsError::Corrupt("more predictions than there can be"))
    }
}

/// Each text once, numbered from 1 by its order: 0 stands for none.
fn numbered<'a>(texts: impl Iterator<Item = &'a Arc<str>>) -> BTreeMap<&'a Arc<str>, u64> {
    let mut numbered: BTreeMap<&Arc<str>, u64> = texts.map(|text| (text, 0)).collect();
    for (number, place) in (1..).zip(numbered.values_mut()) {
        *place = number;
    }
    numbered
}

fn listed(texts: &[Arc<str>], number: u64) -> Result<Arc<str>, CountsError> {
    let place = number.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| texts.get(place)).cloned().ok_or(UNLISTED)
}

fn texts(reader: &mut Reader<'_>) -> Result<Vec<Arc<str>>, CountsError> {
    (0..reader.length()?).map(|_| reader.text().map(Arc::from)).collect()
}

fn column(reader: &mut Reader<'_>, len: usize) -> Result<Vec<u64>, CountsError> {
    (0..len).map(|_| reader.number()).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;

    use super::*;

    /// Id, label, score and time.
    type Event = (Option<u8>, Option<u8>, Option<u16>, i64);

    fn predictions(events: &[Event]) -> Predictions {
        let mut predictions = Predictions::default();
        for (id, label, score, time_ms) in events {
            let id = id.map(|id| format!("id-{id}"));
            let label = label.map(|label| Arc::from(format!("label {label}").as_str()));
            let model = Arc::from(if *time_ms % 2 == 0 { "intents@1" } else { "intents@2" });
            let prediction = EventPrediction { time_ms: *time_ms, label, score: *score, model };
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
            cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(), bit in 0..8_u32
        ) {
            let bytes = predictions(&events).encode();
            prop_assert!(Predictions::decode(&bytes[..cut.index(bytes.len())]).is_err());
            // Behind the compression, where its checksum does not help.
            let mut flipped = unpack(&bytes).expect("our own bytes");
            let place = flip.index(flipped.len());
            flipped[place] ^= 1 << bit;
            let mut writer = Writer::default();
            writer.raw(&flipped);
            if let Ok(other) = Predictions::decode(&writer.finish()) {
                prop_assert!(other.len() <= flipped.len());
            }
        }
    }
}
