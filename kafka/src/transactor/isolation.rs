//! Which record of a batch the broker refuses: it answers for all that came to it in one request.
//!
//! The records that were refused together are cut apart, sixteen ways at a time, and each part is delivered before the
//! next one is sent; so one among a thousand is found in four attempts. Each attempt makes the parts smaller or finds a
//! record, so it comes to an end. After a few records were found so, parts are taken as a whole: when a topic refuses
//! everything, one by one would take as many transactions as there are records.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::error::RDKafkaErrorCode as Code;

/// Parts into which the records of a refused request are cut.
const WAYS: usize = 16;
/// Records that are found one by one before what is refused together is taken as a whole.
const ALONE_MAX: usize = 8;

/// How far the search in one batch has come.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    /// Places before which everything earlier must be delivered.
    cuts: BTreeSet<usize>,
    /// Records that were found alone.
    alone: usize,
}

impl Isolation {
    /// Whether everything before this place must be delivered before it is sent.
    pub(super) fn is_cut(&self, place: usize) -> bool {
        self.cuts.contains(&place)
    }

    /// Whether enough records were found one by one: what is likely to be refused is no longer tried.
    pub(super) fn is_spent(&self) -> bool {
        self.alone >= ALONE_MAX
    }

    /// Counts a record that is known to be at fault without a search.
    pub(super) fn found(&mut self) {
        self.alone += 1;
    }

    /// The records that made the last attempt fail; none when the suspects were cut apart for the next one.
    ///
    /// `lanes` has the topic and partition of every record that is sent, by its place: requests hold records of one lane.
    /// A record that `is_final` has no other form: it is blamed when it is surely the one, and not with others.
    pub(super) fn blame<L: Ord>(
        &mut self,
        refused: &[(usize, Code)],
        lanes: &BTreeMap<usize, L>,
        is_final: impl Fn(usize) -> bool,
    ) -> Vec<(usize, Code)> {
        let mut suspects: BTreeMap<Option<&L>, Vec<(usize, Code)>> = BTreeMap::new();
        for (place, code) in refused {
            suspects.entry(lanes.get(place)).or_default().push((*place, *code));
        }
        let mut blamed = Vec::new();
        for (lane, mut suspects) in suspects {
            suspects.sort_by_key(|(place, _)| *place);
            let (beside, named): (Vec<_>, Vec<_>) =
                suspects.iter().copied().partition(|(_, code)| *code == Code::InvalidDifferentRecord);
            if !beside.is_empty() && !named.is_empty() {
                blamed.extend(named);
            } else if self.is_alone(&suspects, lane, lanes) {
                self.alone += 1;
                blamed.extend(suspects);
            } else {
                let movable: Vec<_> = suspects.iter().copied().filter(|(place, _)| !is_final(*place)).collect();
                if self.is_spent() && !movable.is_empty() {
                    blamed.extend(movable);
                } else if !self.cut(&suspects) {
                    blamed.extend(suspects);
                }
            }
        }
        blamed
    }

    /// One suspect with no other record of its lane between the cuts around it.
    fn is_alone<L: Ord>(&self, suspects: &[(usize, Code)], lane: Option<&L>, lanes: &BTreeMap<usize, L>) -> bool {
        let [(place, _)] = suspects else { return false };
        let from = self.cuts.range(..=*place).next_back().copied().unwrap_or(0);
        let to = self.cuts.range(place + 1..).next().copied().unwrap_or(usize::MAX);
        lanes.range(from..to).all(|(other, own)| other == place || Some(own) != lane)
    }

    /// False when there is nothing left to cut.
    fn cut(&mut self, suspects: &[(usize, Code)]) -> bool {
        let before = self.cuts.len();
        let size = suspects.len().div_ceil(WAYS);
        for part in suspects.chunks(size) {
            if let [(first, _), ..] = part
                && let [.., (last, _)] = part
            {
                self.cuts.extend([*first, last + 1]);
            }
        }
        self.cuts.len() > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What became of a batch against a broker that refuses some of its records.
    struct Search {
        attempts: usize,
        blamed: BTreeSet<usize>,
    }

    /// Plays the attempts: parts are sent in turn, and the first part with a bad record is refused as a whole, lane by
    /// lane. With `names` the broker says which records it means.
    fn search(records: usize, lanes: usize, is_bad: impl Fn(usize) -> bool, names: bool) -> Search {
        let mut isolation = Isolation::default();
        let mut found = Search { attempts: 0, blamed: BTreeSet::new() };
        loop {
            found.attempts += 1;
            assert!(found.attempts <= 2 * records + 10, "it comes to an end");
            let sent: BTreeMap<usize, usize> = (0..records)
                .filter(|place| !found.blamed.contains(place))
                .map(|place| (place, place % lanes))
                .collect();
            let Some(bad) = sent.keys().copied().find(|place| is_bad(*place)) else { return found };
            let from = isolation.cuts.range(..=bad).next_back().copied().unwrap_or(0);
            let to = isolation.cuts.range(bad + 1..).next().copied().unwrap_or(usize::MAX);
            let bad_lanes: BTreeSet<_> =
                sent.range(from..to).filter(|(place, _)| is_bad(**place)).map(|(_, lane)| *lane).collect();
            let request = sent.range(from..to).filter(|(_, lane)| bad_lanes.contains(lane));
            let code = |place| if !names || is_bad(place) { Code::InvalidRecord } else { Code::InvalidDifferentRecord };
            let refused: Vec<_> = request.map(|(place, _)| (*place, code(*place))).collect();
            let blamed = isolation.blame(&refused, &sent, |_| false);
            found.blamed.extend(blamed.into_iter().map(|(place, _)| place));
        }
    }

    #[test]
    fn one_among_many_is_found_in_a_few_attempts_and_nothing_else_is_blamed() {
        for lanes in [1, 3] {
            for bad in [0, 1, 250, 499] {
                let found = search(500, lanes, |place| place == bad, false);
                assert_eq!(found.blamed, BTreeSet::from([bad]), "{lanes} lanes");
                assert!(found.attempts <= 5, "{} attempts", found.attempts);
            }
        }
    }

    #[test]
    fn named_records_are_blamed_at_once() {
        let found = search(500, 1, |place| place % 2 == 0, true);
        assert_eq!((found.blamed.len(), found.attempts), (250, 2));
    }

    #[test]
    fn a_topic_that_refuses_everything_needs_few_attempts() {
        let found = search(500, 1, |_| true, false);
        assert_eq!(found.blamed.len(), 500);
        assert!(found.attempts <= 50, "{} attempts", found.attempts);
    }

    #[test]
    fn what_has_no_other_form_is_not_blamed_with_others() {
        let mut isolation = Isolation { alone: ALONE_MAX, ..Isolation::default() };
        let lanes: BTreeMap<usize, ()> = (0..4).map(|place| (place, ())).collect();
        let refused: Vec<_> = (0..4).map(|place| (place, Code::PolicyViolation)).collect();
        let blamed = isolation.blame(&refused, &lanes, |place| place < 2);
        assert_eq!(blamed, refused[2..]);
        assert_eq!(isolation.blame(&refused, &lanes, |_| true), [], "they are cut apart");
        assert_eq!(isolation.blame(&refused[..1], &lanes, |_| true), refused[..1], "alone it is surely the one");
    }

    #[test]
    fn a_few_bad_records_cost_no_good_one() {
        let bad = [3, 77, 78, 300, 301, 302, 499];
        let found = search(500, 1, |place| bad.contains(&place), false);
        assert_eq!(found.blamed, BTreeSet::from(bad));
        assert!(found.attempts <= 30, "{} attempts", found.attempts);
    }
}
