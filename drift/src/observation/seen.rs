//! What a reading of the past brought: how many records, and why some of them could not be counted.
//!
//! For people, so that a result from the wrong file or with the wrong unit of time is not taken for a result.

use std::collections::BTreeMap;

use schemas::Origin;

use super::{Observation, Odd, Refusal};

/// Refusals that are kept one by one, so that a file of another kind does not fill the screen.
const EXAMPLES_MAX: usize = 5;
/// Of ten refused records so many for their times alone are no accident: the unit is wrong.
const BAD_TIMES_IN_TEN: u64 = 9;

/// What went in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub records: u64,
    pub odd: Odd,
    /// Records by [`Refusal::name`], without tombstones.
    pub refused: BTreeMap<&'static str, u64>,
    /// The first refusals.
    pub examples: Vec<(Origin, Refusal)>,
}

impl Seen {
    /// Counts one record by what the observer made of it.
    pub fn add(&mut self, origin: &Origin, outcome: &Result<Observation, Refusal>) {
        self.records += 1;
        self.odd.add(outcome);
        let Some(refusal) = outcome.as_ref().err().filter(|refusal| **refusal != Refusal::Tombstone) else { return };
        *self.refused.entry(refusal.name()).or_default() += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push((origin.clone(), refusal.clone()));
        }
    }

    /// Records that could not be counted, without tombstones.
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// False where a result would rest on nothing: no record was usable, or nearly all times are in another unit.
    pub fn is_usable(&self) -> bool {
        let usable = self.records - self.refusals() - self.odd.tombstones; // in a window, or too late for one
        let bad_times = self.refused.get("bad_event_time").copied().unwrap_or(0);
        let is_other_unit = bad_times > 0 && bad_times * 10 >= self.records * BAD_TIMES_IN_TEN;
        usable > 0 && !is_other_unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_rests_on_something_unless_nearly_every_time_is_refused() {
        let check = |records: u64, refused: &[(&'static str, u64)], tombstones: u64, expected: bool| {
            let odd = Odd { tombstones, ..Odd::default() };
            let seen = Seen { records, odd, refused: refused.iter().copied().collect(), ..Seen::default() };
            assert_eq!(seen.is_usable(), expected, "{seen:?}");
        };
        check(3, &[], 0, true);
        check(10, &[("bad_json", 9)], 0, true);
        check(10, &[("bad_json", 9)], 1, false);
        check(10, &[("bad_event_time", 8)], 0, true);
        check(5, &[("bad_event_time", 1)], 0, true);
        check(10, &[("bad_event_time", 9)], 0, false);
        check(4, &[("bad_json", 4)], 0, false);
        check(0, &[], 0, false);
    }

    #[test]
    fn tombstones_are_no_refusals_and_the_first_refusals_are_kept() {
        let mut seen = Seen::default();
        for offset in 0..9 {
            let refusal = if offset == 0 { Refusal::Tombstone } else { Refusal::NoEventTime };
            seen.add(&Origin { topic: "a".into(), partition: 0, offset }, &Err(refusal));
        }
        assert_eq!((seen.records, seen.odd.tombstones, seen.refusals()), (9, 1, 8));
        let offsets: Vec<_> = seen.examples.iter().map(|(origin, _)| origin.offset).collect();
        assert_eq!(offsets, [1, 2, 3, 4, 5]);
    }
}
