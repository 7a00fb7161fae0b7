//! What the demo says at its end: the sums, whether they agree, and where to go next.

use std::time::Duration;

use explain::figures::grouped;
use jiff::Timestamp;

use crate::tally::Tally;
use crate::view::{Facts, Stretch, took};
use crate::watch::{Found, Watch, seconds};

/// The run as it ended.
pub(crate) struct Summary<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) tally: &'a Tally,
    pub(crate) watch: &'a Watch,
    /// From the first message to the last.
    pub(crate) sending: Duration,
    /// What it was longer for than it was to be.
    pub(crate) stretch: Option<Stretch>,
    /// Records that the pipeline itself says it committed: labels and dead letters.
    pub(crate) committed: u64,
}

impl Summary<'_> {
    /// True when every record came out exactly once, as both the reader and the pipeline say.
    pub(crate) fn agrees(&self) -> bool {
        self.tally.sums_agree() && self.committed == self.tally.counts().sent
    }

    /// The text for a person; several lines.
    pub(crate) fn text(&self) -> String {
        let counts = self.tally.counts();
        let mut text = String::new();
        let mut row = |name: &str, number: u64, note: &str| {
            let line = format!("  {name:<22}{:>9}   {note}", grouped(number));
            text.push_str(line.trim_end());
            text.push('\n');
        };
        row("sent", counts.sent, &self.pace());
        row("labelled", counts.labeled, &self.labels());
        row("dead letters", counts.dead_letters, &self.reasons());
        row("duplicates", counts.duplicates, "");
        row("lost", self.tally.unanswered(), "");
        for (name, number) in [
            ("wrong outcome", counts.wrong_outcomes),
            ("out of order", counts.out_of_order),
            ("unknown record", counts.strangers),
        ] {
            if number > 0 {
                row(name, number, "");
            }
        }
        text.push('\n');
        text.push_str(&self.verdict());
        text.push_str(&self.latency());
        text.push_str(&self.drift());
        text
    }

    fn verdict(&self) -> String {
        let counts = self.tally.counts();
        let answers = counts.labeled + counts.dead_letters;
        let sum = format!("{} + {} = {}", grouped(counts.labeled), grouped(counts.dead_letters), grouped(answers));
        if self.agrees() {
            format!("  {sum}: every record came out exactly once,\n  in order, with the outcome it should have.\n")
        } else {
            format!(
                "  THE COUNTS DO NOT ADD UP: {sum}, {} sent, {} committed by the pipeline.\n",
                grouped(counts.sent),
                grouped(self.committed)
            )
        }
    }

    /// What the drift worker found, and whether it cried wolf before there was anything.
    fn drift(&self) -> String {
        let before = match self.watch.false_alarms() {
            0 => "No alarm before".to_owned(),
            1 => "ONE FALSE ALARM before".to_owned(),
            alarms => format!("{alarms} FALSE ALARMS before"),
        };
        match (self.watch.found(), self.watch.has_changed()) {
            (Some(Found { delay_ms, reasons, .. }), _) => format!(
                "  Drift: customers began to write about other things midway. {before}; found {} after:\n  {}.\n{}",
                seconds(*delay_ms),
                reasons.join(";\n  "),
                self.stretched()
            ),
            (None, true) => format!(
                "  Drift: customers began to write about other things midway. {before}; not found in {:.0} \
                 s:\n  windows of up \
                 to 8 s held too few records, or there were too few of them; --seconds {} gives it more time.\n",
                self.sending.as_secs_f64(),
                (2 * self.sending.as_secs()).max(60)
            ),
            (None, false) => "  Drift: stopped before customers began to write about other things.\n".to_owned(),
        }
    }

    /// Why the run took longer than it was to.
    fn stretched(&self) -> String {
        match (self.stretch, self.facts.seconds) {
            (Some(Stretch::ToFind), Some(length)) => format!(
                "  The demo ran for {:.0} s instead of {} s, until that was detected.\n",
                self.sending.as_secs_f64(),
                length.as_secs()
            ),
            _ => String::new(),
        }
    }

    fn latency(&self) -> String {
        format!(
            "  From produced to committed label: p50 {}, p99 {}. Model: {}.\n",
            took(self.tally.latency(0.5)),
            took(self.tally.latency(0.99)),
            self.facts.model
        )
    }

    fn pace(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.tally.counts().sent as f64 / self.sending.as_secs_f64().max(0.001);
        format!("{rate:.0} a second for {:.0} s", self.sending.as_secs_f64())
    }

    fn labels(&self) -> String {
        let labels = self.tally.labels();
        let most = labels.first().map(|(label, count)| format!("{label} {count}"));
        most.map_or_else(String::new, |most| format!("most: {most}; {} labels in all", labels.len()))
    }

    fn reasons(&self) -> String {
        let reasons = self.tally.reasons().iter();
        reasons.map(|(reason, count)| format!("{reason} {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// How to read the drift worker's reports.
pub(crate) fn reports(place: &str, watch: &Watch) -> String {
    let place = place.trim_end_matches('/');
    let found = watch.found().and_then(|found| Timestamp::from_millisecond(found.window_start_ms).ok());
    let window = found.map_or_else(|| "latest".to_owned(), |start| start.to_string());
    format!(
        "\
The drift reports are Parquet files in {place}. Read them with labelstream, or with DuckDB:

  labelstream drift explain {window} --reports {place}
  duckdb -c \"SELECT window_start, verdict, feature, reason FROM '{place}/drift/v=1/**/*.parquet' \
         WHERE verdict = 'drift' ORDER BY window_start, q_value LIMIT 20\"
"
    )
}

/// What a newcomer can do next, on Kafka of their own.
pub(crate) const NEXT: &str = "\
Where to go next, on your own Kafka (or on `labelstream broker --port 9092`):

  labelstream check    --brokers localhost:9092 --input messages --output messages-labeled
  labelstream classify --brokers localhost:9092 --input messages --output messages-labeled
  kcat -C -b localhost:9092 -t messages-labeled

`labelstream --help` lists the rest.
";

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use schemas::{Origin, Reason};

    use super::*;
    use crate::record::Expected;
    use crate::tally::{Answer, Output};
    use crate::topics::Topics;

    fn summary(answered: u64, committed: u64) -> (bool, String) {
        let now = Instant::now();
        let mut tally = Tally::new();
        for number in 0..2_000 {
            tally.sent(number, Expected::DeadLetter(Reason::Empty), now);
        }
        for number in 0..answered {
            let origin = Origin { topic: "messages".into(), partition: 0, offset: 0 };
            let output = Output::DeadLetter(Reason::Empty);
            tally.answered(Answer { number: Some(number), output, origin }, now);
        }
        let facts = Facts {
            model: "banking77-minilm 1.1.0".to_owned(),
            brokers: "in-process devbroker".to_owned(),
            topics: Topics::plain(),
            seconds: None,
            records: None,
        };
        let watch = Watch::default();
        let summary = Summary {
            facts: &facts,
            tally: &tally,
            watch: &watch,
            sending: Duration::from_secs(20),
            stretch: None,
            committed,
        };
        (summary.agrees(), summary.text())
    }

    #[test]
    fn agrees_only_when_reader_and_pipeline_both_account_for_all() {
        let (agrees, text) = summary(2_000, 2_000);
        assert!(agrees);
        for expected in ["100 a second for 20 s", "empty 2000", "0 + 2,000 = 2,000: every record"] {
            assert!(text.contains(expected), "no {expected:?} in:\n{text}");
        }
        let (agrees, text) = summary(1_999, 2_000);
        assert!(
            !agrees && text.contains("DO NOT ADD UP") && text.contains("lost                          1"),
            "{text}"
        );
        assert!(!summary(2_000, 1_999).0);
    }
}
