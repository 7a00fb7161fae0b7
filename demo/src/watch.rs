//! What the drift worker has found in the demo's stream: how many windows it judged, and when it noticed the change.
//!
//! Pure: it is given the moment when the mix changed and every window's verdict, each with its time.

use schemas::report::Verdict;

/// One window as the drift worker judged it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    /// Milliseconds since 1970 UTC.
    pub(crate) window_start_ms: i64,
    pub(crate) window_end_ms: i64,
    pub(crate) verdict: Verdict,
    /// What moved, surest first.
    pub(crate) reasons: Vec<String>,
    /// When it was said, milliseconds since 1970 UTC.
    pub(crate) at_ms: i64,
}

/// The first finding after the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// From the change to the finding.
    pub(crate) delay_ms: i64,
    /// The window that it was found in, milliseconds since 1970 UTC.
    pub(crate) window_start_ms: i64,
    /// What moved, surest first.
    pub(crate) reasons: Vec<String>,
}

/// The books of the drift worker's words.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Windows that could be judged.
    judged: u64,
    /// Windows with too little to say, as the first ones: they become the reference.
    learned: u64,
    /// Windows that ended before the change and were called drift all the same.
    false_alarms: u64,
    changed_ms: Option<i64>,
    found: Option<Found>,
}

impl Watch {
    /// Customers have started to write of other things. Only the first time counts.
    pub(crate) fn changed(&mut self, at_ms: i64) {
        self.changed_ms.get_or_insert(at_ms);
    }

    pub(crate) fn hear(&mut self, window: Judged) {
        if matches!(window.verdict, Verdict::InsufficientData | Verdict::NotApplicable) {
            self.learned += 1;
            return;
        }
        self.judged += 1;
        if window.verdict != Verdict::Drift {
            return;
        }
        match self.changed_ms.filter(|changed| window.window_end_ms > *changed) {
            None => self.false_alarms += 1,
            Some(changed) => {
                let delay_ms = window.at_ms - changed;
                self.found.get_or_insert(Found {
                    delay_ms,
                    window_start_ms: window.window_start_ms,
                    reasons: window.reasons,
                });
            }
        }
    }

    pub(crate) fn false_alarms(&self) -> u64 {
        self.false_alarms
    }

    /// Whether a window could be judged, so that the next ones can be compared with what is usual.
    pub(crate) fn has_judged(&self) -> bool {
        self.judged > 0
    }

    pub(crate) fn has_changed(&self) -> bool {
        self.changed_ms.is_some()
    }

    pub(crate) fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// The state of things in one line.
    pub(crate) fn line(&self) -> String {
        let windows = |count: u64| if count == 1 { "1 window".to_owned() } else { format!("{count} windows") };
        match (&self.found, self.judged) {
            (Some(Found { delay_ms, reasons, .. }), _) => {
                format!("found after {}: {}", seconds(*delay_ms), reasons.join("; "))
            }
            (None, 0) => format!("learning what is normal, {} so far", windows(self.learned)),
            (None, judged) if self.has_changed() => {
                format!("the mix has changed; {} judged", windows(judged))
            }
            (None, judged) => format!("no change, {} judged", windows(judged)),
        }
    }
}

/// A span as a person reads it: `2.4 s`.
#[expect(clippy::cast_precision_loss, reason = "a demo lasts far less than 2^52 ms")]
pub(crate) fn seconds(millis: i64) -> String {
    format!("{:.1} s", millis as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(window_end_ms: i64, verdict: Verdict) -> Judged {
        Judged {
            window_start_ms: window_end_ms - 2_000,
            window_end_ms,
            verdict,
            reasons: vec![format!("moved by {window_end_ms}")],
            at_ms: window_end_ms + 400,
        }
    }

    #[test]
    fn the_first_finding_after_the_change_counts_and_one_before_is_a_false_alarm() {
        let mut watch = Watch::default();
        watch.hear(judged(2_000, Verdict::InsufficientData));
        assert_eq!(watch.line(), "learning what is normal, 1 window so far");
        watch.hear(judged(4_000, Verdict::Ok));
        assert_eq!(watch.line(), "no change, 1 window judged");
        watch.changed(5_000);
        watch.changed(9_000);
        watch.hear(judged(6_000, Verdict::Warn));
        assert_eq!((watch.false_alarms(), watch.found()), (0, None));
        watch.hear(judged(8_000, Verdict::Drift));
        watch.hear(judged(10_000, Verdict::Drift));
        assert_eq!(
            watch.found(),
            Some(&Found { delay_ms: 3_400, window_start_ms: 6_000, reasons: vec!["moved by 8000".to_owned()] })
        );
        assert_eq!(watch.line(), "found after 3.4 s: moved by 8000");

        let mut hasty = Watch::default();
        hasty.hear(judged(4_000, Verdict::Drift));
        hasty.changed(5_000);
        hasty.hear(judged(5_000, Verdict::Drift));
        assert_eq!((hasty.false_alarms(), hasty.found()), (2, None));
    }
}
