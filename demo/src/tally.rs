//! The demo's books: what was sent, what came back, how long it took, and whether the sums agree.
//!
//! Pure: it is given every record sent and every answer that the `read_committed` reader saw, each with its time,
//! and never looks at the pipeline itself. A record is known by the number in its header, which must survive the whole
//! way, as all headers do.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use schemas::{Origin, Reason};

use crate::record::Expected;

/// Labelled texts kept for the screen.
const SAMPLES: usize = 32;
/// Between two of them, so that a person can read along.
const SAMPLE_EVERY: Duration = Duration::from_millis(400);
/// Span of the "now" figures: rate and percentiles of the last seconds.
const RECENT: Duration = Duration::from_secs(5);
/// Upper bound of the latency histogram, microseconds: ten minutes. Longer waits count as this.
const LATENCY_MAX_US: u64 = 600_000_000;
/// Shown where the model gave no label.
pub(crate) const ABSTAINED: &str = "(abstained)";

/// What the reader saw of one record.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The number in the record's header; `None` when it did not survive.
    pub(crate) number: Option<u64>,
    pub(crate) output: Output,
    /// Where the record was read by the pipeline, as the answer says.
    pub(crate) origin: Origin,
}

/// What the pipeline wrote for a record.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    Labeled { label: Option<String>, score: Option<f32>, text: String },
    DeadLetter(Reason),
}

/// A labelled text for the screen.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) text: String,
    pub(crate) label: String,
    pub(crate) score: Option<f32>,
}

#[derive(Debug)]
struct Sent {
    at: Instant,
    expected: Expected,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Records that the input topic took.
    pub(crate) sent: u64,
    pub(crate) labeled: u64,
    pub(crate) dead_letters: u64,
    /// Answers to a record that had one already.
    pub(crate) duplicates: u64,
    /// Answers that name no record of this run.
    pub(crate) strangers: u64,
    /// Records with another outcome than their content calls for.
    pub(crate) wrong_outcomes: u64,
    /// Labels that came before one of an earlier record of the same partition.
    pub(crate) out_of_order: u64,
}

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Tally {
    counts: Counts,
    under_way: HashMap<u64, Sent>,
    /// By number: true once answered.
    answered: Vec<bool>,
    labels: BTreeMap<String, u64>,
    reasons: BTreeMap<Reason, u64>,
    /// Of all labels, microseconds.
    latency: Histogram<u64>,
    /// Latest answers, for the figures of the last seconds.
    recent: VecDeque<(Instant, Duration)>,
    samples: VecDeque<Sample>,
    sampled: Option<Instant>,
    /// Offset of the latest label per input partition.
    latest: BTreeMap<(std::sync::Arc<str>, i32), i64>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            counts: Counts::default(),
            under_way: HashMap::new(),
            answered: Vec::new(),
            labels: BTreeMap::new(),
            reasons: BTreeMap::new(),
            latency: Histogram::new_with_max(LATENCY_MAX_US, 3)
                .expect("the bound and the digits are within what the histogram allows"),
            recent: VecDeque::new(),
            samples: VecDeque::new(),
            sampled: None,
            latest: BTreeMap::new(),
        }
    }

    /// Record `number` is about to be sent; numbers count up from 0.
    pub(crate) fn sent(&mut self, number: u64, expected: Expected, now: Instant) {
        self.counts.sent += 1;
        self.answered.push(false);
        assert_eq!(
            usize::try_from(number).ok(),
            self.answered.len().checked_sub(1),
            "records are numbered without gaps"
        );
        self.under_way.insert(number, Sent { at: now, expected });
    }

    /// The input topic did not take record `number`, so no answer is owed.
    pub(crate) fn not_sent(&mut self, number: u64) {
        if self.under_way.remove(&number).is_some() {
            self.counts.sent -= 1;
        }
    }

    pub(crate) fn answered(&mut self, answer: Answer, now: Instant) {
        let place =
            answer.number.and_then(|number| usize::try_from(number).ok()).filter(|place| *place < self.answered.len());
        let (Some(number), Some(place)) = (answer.number, place) else {
            self.counts.strangers += 1;
            return;
        };
        if std::mem::replace(&mut self.answered[place], true) {
            self.counts.duplicates += 1;
            return;
        }
        let Some(sent) = self.under_way.remove(&number) else {
            self.counts.strangers += 1;
            return;
        };
        self.settle(answer, &sent, now);
    }

    fn settle(&mut self, answer: Answer, sent: &Sent, now: Instant) {
        let found = match &answer.output {
            Output::Labeled { .. } => Expected::Label,
            Output::DeadLetter(reason) => Expected::DeadLetter(*reason),
        };
        if found != sent.expected {
            self.counts.wrong_outcomes += 1;
        }
        match answer.output {
            Output::DeadLetter(reason) => {
                self.counts.dead_letters += 1;
                *self.reasons.entry(reason).or_default() += 1;
            }
            Output::Labeled { label, score, text } => {
                self.counts.labeled += 1;
                self.in_order(&answer.origin);
                let label = label.unwrap_or_else(|| ABSTAINED.to_owned());
                *self.labels.entry(label.clone()).or_default() += 1;
                let took = now.saturating_duration_since(sent.at);
                self.latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LATENCY_MAX_US));
                self.recent.push_back((now, took));
                if self.sampled.is_none_or(|last| now.saturating_duration_since(last) >= SAMPLE_EVERY) {
                    self.sampled = Some(now);
                    self.samples.push_front(Sample { text, label, score });
                    self.samples.truncate(SAMPLES);
                }
            }
        }
    }

    fn in_order(&mut self, origin: &Origin) {
        let latest = self.latest.entry((std::sync::Arc::clone(&origin.topic), origin.partition)).or_insert(-1);
        if origin.offset <= *latest {
            self.counts.out_of_order += 1;
        }
        *latest = origin.offset.max(*latest);
    }

    /// Forgets answers older than the span of the "now" figures.
    pub(crate) fn age(&mut self, now: Instant) {
        while self.recent.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > RECENT) {
            self.recent.pop_front();
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Records without an answer: under way during the run, lost after it.
    pub(crate) fn unanswered(&self) -> u64 {
        self.under_way.len() as u64
    }

    /// True when every record sent has exactly one answer, the right one, in order.
    pub(crate) fn sums_agree(&self) -> bool {
        let Counts { sent, labeled, dead_letters, duplicates, strangers, wrong_outcomes, out_of_order } = self.counts;
        sent == labeled + dead_letters
            && self.unanswered() == 0
            && duplicates + strangers + wrong_outcomes + out_of_order == 0
    }

    /// Labels with their counts, most frequent first.
    pub(crate) fn labels(&self) -> Vec<(&str, u64)> {
        let mut labels: Vec<_> = self.labels.iter().map(|(label, count)| (label.as_str(), *count)).collect();
        labels.sort_by_key(|(label, count)| (std::cmp::Reverse(*count), *label));
        labels
    }

    pub(crate) fn reasons(&self) -> &BTreeMap<Reason, u64> {
        &self.reasons
    }

    /// Latest first.
    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter()
    }

    /// Latency that `share` (0..=1) of all labels stayed within; `None` before the first.
    pub(crate) fn latency(&self, share: f64) -> Option<Duration> {
        (!self.latency.is_empty()).then(|| Duration::from_micros(self.latency.value_at_quantile(share)))
    }

    /// The same over the last seconds.
    pub(crate) fn recent_latency(&self, share: f64) -> Option<Duration> {
        let mut took: Vec<_> = self.recent.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list of a few thousand"
        )]
        let place = (took.len() as f64 * share) as usize;
        took.get(place).or(took.last()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labeled(number: Option<u64>, offset: i64) -> Answer {
        Answer {
            number,
            output: Output::Labeled {
                label: Some("card_arrival".to_owned()),
                score: Some(0.9),
                text: "where is my card?".to_owned(),
            },
            origin: Origin { topic: "in".into(), partition: 0, offset },
        }
    }

    fn dead(number: u64, reason: Reason) -> Answer {
        Answer { output: Output::DeadLetter(reason), ..labeled(Some(number), 0) }
    }

    struct Books {
        tally: Tally,
        start: Instant,
    }

    fn books(sent: u64) -> Books {
        let start = Instant::now();
        let mut tally = Tally::new();
        for number in 0..sent {
            tally.sent(number, Expected::Label, start);
        }
        Books { tally, start }
    }

    #[test]
    fn a_record_with_one_answer_balances_the_books() {
        let mut books = books(2);
        books.tally.sent(2, Expected::DeadLetter(Reason::Empty), books.start);
        books.tally.sent(3, Expected::Label, books.start);
        books.tally.not_sent(3);
        assert!(!books.tally.sums_agree(), "three answers are owed");
        let later = books.start + Duration::from_millis(20);
        books.tally.answered(labeled(Some(0), 0), later);
        books.tally.answered(labeled(Some(1), 1), later);
        books.tally.answered(dead(2, Reason::Empty), later);
        assert!(books.tally.sums_agree());
        assert_eq!(books.tally.counts().sent, 3);
        assert_eq!(books.tally.labels(), [("card_arrival", 2)]);
        let p50 = books.tally.latency(0.5).unwrap();
        assert!(p50.abs_diff(Duration::from_millis(20)) < Duration::from_micros(50));
        assert_eq!(books.tally.recent_latency(0.99), Some(Duration::from_millis(20)));
        books.tally.age(later + RECENT + Duration::from_millis(1));
        assert_eq!(books.tally.recent_latency(0.99), None);
    }

    #[test]
    fn every_fault_unbalances_the_books() {
        let check = |answers: Vec<Answer>, count: fn(Counts) -> u64| {
            let mut books = books(2);
            for answer in answers {
                books.tally.answered(answer, books.start);
            }
            assert!(!books.tally.sums_agree());
            assert_eq!(count(books.tally.counts()), 1);
        };
        let one = || labeled(Some(0), 0);
        let two = || labeled(Some(1), 1);
        check(vec![one()], |counts| counts.sent - counts.labeled);
        check(vec![one(), two(), one()], |counts| counts.duplicates);
        check(vec![one(), two(), labeled(None, 2)], |counts| counts.strangers);
        check(vec![one(), two(), labeled(Some(9), 2)], |counts| counts.strangers);
        check(vec![one(), dead(1, Reason::NoText)], |counts| counts.wrong_outcomes);
        check(vec![two(), one()], |counts| counts.out_of_order);
    }
}
