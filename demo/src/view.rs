//! What the demo shows at one moment, whichever way it is shown.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::tally::Tally;
use crate::topics::Topics;
use crate::watch::Watch;

/// Points of the small charts: one a second.
const HISTORY: usize = 120;

/// What the run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Messages are being sent.
    Sending,
    /// Nothing new is sent; answers still come.
    Draining,
}

/// The facts of this run that do not change.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Name and version of the model.
    pub(crate) model: String,
    /// Where the records travel: "in-process devbroker" or the user's brokers.
    pub(crate) brokers: String,
    pub(crate) topics: Topics,
    /// When sending ends: after this much time, or up to twice as much,
    pub(crate) seconds: Option<Duration>,
    /// or after this many records.
    pub(crate) records: Option<u64>,
}

/// What the drift worker needs more time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stretch {
    /// Half of the time is over, and no window has been judged yet: the change waits for one.
    ToLearn,
    /// The time is over, and the change is not found yet: sending goes on until it is.
    ToFind,
}

impl Stretch {
    /// For the screen and the lines.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::ToLearn => "the change waits until a window could be judged",
            Self::ToFind => "continuing until the change is detected",
        }
    }
}

impl Facts {
    /// When sending ends though the change is not found: a demo takes no longer than twice what was asked for.
    pub(crate) fn seconds_max(&self) -> Option<Duration> {
        self.seconds.map(|seconds| seconds * 2)
    }
}

/// The run at one moment.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) tally: &'a Tally,
    pub(crate) history: &'a History,
    pub(crate) watch: &'a Watch,
    pub(crate) phase: Phase,
    pub(crate) stretch: Option<Stretch>,
    /// Since sending began.
    pub(crate) elapsed: Duration,
    /// Records per second that are sent now.
    pub(crate) pace: f64,
}

impl View<'_> {
    /// Share of the run that is over, 0..=1.
    pub(crate) fn done(&self) -> f64 {
        let length = if self.stretch.is_some() { self.facts.seconds_max() } else { self.facts.seconds };
        let of_time = length.map(|length| self.elapsed.as_secs_f64() / length.as_secs_f64().max(0.001));
        #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
        let of_records = self.facts.records.map(|records| self.tally.counts().sent as f64 / records.max(1) as f64);
        if self.phase == Phase::Draining {
            return 1.0;
        }
        of_time.into_iter().chain(of_records).fold(0.0, f64::max).clamp(0.0, 1.0)
    }
}

/// One point a second of what the small charts show.
#[derive(Debug)]
pub(crate) struct History {
    /// Answers in each second.
    pub(crate) rates: VecDeque<u64>,
    /// p50 of the last seconds, microseconds.
    pub(crate) latencies: VecDeque<u64>,
    started: Instant,
    answers: u64,
}

impl History {
    pub(crate) fn new(now: Instant) -> Self {
        Self { rates: VecDeque::new(), latencies: VecDeque::new(), started: now, answers: 0 }
    }

    /// Closes the current second when it is over; true when it did.
    pub(crate) fn observe(&mut self, tally: &Tally, now: Instant) -> bool {
        if now.saturating_duration_since(self.started) < Duration::from_secs(1) {
            return false;
        }
        let counts = tally.counts();
        let answers = counts.labeled + counts.dead_letters;
        push(&mut self.rates, answers - self.answers);
        let p50 = tally.recent_latency(0.5).unwrap_or_default();
        push(&mut self.latencies, u64::try_from(p50.as_micros()).unwrap_or(u64::MAX));
        self.answers = answers;
        self.started = now;
        true
    }

    /// Answers in the last whole second.
    pub(crate) fn rate(&self) -> u64 {
        self.rates.back().copied().unwrap_or_default()
    }
}

fn push(points: &mut VecDeque<u64>, point: u64) {
    points.push_back(point);
    if points.len() > HISTORY {
        points.pop_front();
    }
}

/// A latency as a person reads it: `8.4 ms`, `41 ms`, `1.25 s`, or a dash when there is none.
pub(crate) fn took(latency: Option<Duration>) -> String {
    match latency {
        None => "-".to_owned(),
        Some(latency) if latency < Duration::from_millis(10) => {
            format!("{:.1} ms", latency.as_secs_f64() * 1e3)
        }
        Some(latency) if latency < Duration::from_secs(1) => {
            format!("{:.0} ms", latency.as_secs_f64() * 1e3)
        }
        Some(latency) => format!("{:.2} s", latency.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_as_a_person_reads_them() {
        for (micros, expected) in [(8_400, "8.4 ms"), (41_200, "41 ms"), (999_400, "999 ms"), (1_250_000, "1.25 s")] {
            assert_eq!(took(Some(Duration::from_micros(micros))), expected);
        }
        assert_eq!(took(None), "-");
    }
}
