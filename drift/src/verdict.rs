//! Verdicts: a finding is drift when it is sure, large and persistent, and each comes with one sentence for a person.
//!
//! *Sure*: its q-value in the window is at most the level that the budget gives the window ([`crate::budget`]).
//! *Large*: the test of "the change is no larger than the least change" rejects too, at `verdict.large_level`, so that
//! a large window does not alarm on nothing. *Persistent*: m of the last k windows, this one included, were sure and
//! large. Sure without one of the others is a warning.

pub mod sentence;
pub mod settings;

use schemas::report::{DriftRow, Verdict};

use settings::VerdictConfig;

/// What is known of one finding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Evidence {
    /// 0..=1, over the whole window.
    pub(crate) q_value: f64,
    /// p-value of "the change is no larger than the least change".
    pub(crate) p_min_effect: f64,
    /// Among the windows before that persistence looks at, how many were sure and large.
    pub(crate) flagged_before: u32,
}

/// What follows from the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    /// Sure and large: remembered for the persistence of later windows.
    pub(crate) is_flagged: bool,
    /// What keeps a sure finding from being drift; follows the finding's sentence after a semicolon.
    pub(crate) reservation: Option<String>,
}

/// Holds the evidence against the level of this window.
pub(crate) fn decide(config: &VerdictConfig, alpha: f64, evidence: Evidence) -> Decision {
    if evidence.q_value > alpha {
        return Decision { verdict: Verdict::Ok, is_flagged: false, reservation: None };
    }
    if evidence.p_min_effect > config.large_level {
        let reservation = Some("that is significant, but not clearly above the minimum effect".to_owned());
        return Decision { verdict: Verdict::Warn, is_flagged: false, reservation };
    }
    let flagged = evidence.flagged_before.saturating_add(1);
    if flagged < config.persistence_flagged {
        let (needed, windows) = (config.persistence_flagged, config.persistence_windows);
        let reservation = Some(format!("seen in {flagged} of the {needed} windows that are needed out of {windows}"));
        return Decision { verdict: Verdict::Warn, is_flagged: true, reservation };
    }
    Decision { verdict: Verdict::Drift, is_flagged: true, reservation: None }
}

/// What a whole window comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overall {
    pub verdict: Verdict,
    /// The sentence of its worst finding.
    pub reason: String,
}

/// The worst verdict of these rows, with the sentence of the finding that the window is surest of.
pub fn overall(rows: &[DriftRow]) -> Overall {
    // Reversed, because the last of equal maxima is taken: the first row is the most telling feature of all events.
    let worst = rows.iter().rev().max_by(|one, other| {
        let surest = |row: &DriftRow| -row.q_value.unwrap_or(1.0);
        one.verdict.cmp(&other.verdict).then(surest(one).total_cmp(&surest(other)))
    });
    match worst {
        Some(row) => Overall { verdict: row.verdict, reason: row.reason.clone() },
        None => Overall { verdict: Verdict::InsufficientData, reason: "there was nothing to compare".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(evidence: (f64, f64, u32), expected: (Verdict, bool)) {
        let config = VerdictConfig::try_from(settings::tests::settings()).expect("valid");
        let (q_value, p_min_effect, flagged_before) = evidence;
        let decision = decide(&config, 0.01, Evidence { q_value, p_min_effect, flagged_before });
        assert_eq!((decision.verdict, decision.is_flagged), expected, "{evidence:?}");
        assert_eq!(decision.reservation.is_some(), decision.verdict == Verdict::Warn);
    }

    #[test]
    fn drift_is_sure_and_large_and_persistent() {
        check((0.02, 0.0, 2), (Verdict::Ok, false));
        check((0.01, 0.06, 2), (Verdict::Warn, false));
        check((0.01, 0.05, 0), (Verdict::Warn, true));
        check((0.01, 0.05, 1), (Verdict::Drift, true));
        check((0.0, 0.0, 2), (Verdict::Drift, true));
    }

    #[test]
    fn an_empty_report_is_no_comfort() {
        assert_eq!(overall(&[]).verdict, Verdict::InsufficientData);
    }
}
