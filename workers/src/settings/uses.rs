//! Which sections each command uses. What is wrong in another one does not stop it; names that do not exist always do.
//! Who uses a section also uses those that it is held against.

/// Sections by name.
pub type Uses = &'static [&'static str];

pub const CLASSIFY: Uses =
    &["kafka", "source", "decode", "model", "packages", "batch", "sink", "scaling", "run", "http", "log"];
/// `scaler`: reads only; `sink` and `run` are there for what `source` is held against, and for the end of the process.
pub const SCALER: Uses = &["kafka", "source", "sink", "scaling", "run", "http", "log"];
pub const REPLAY: Uses = &["kafka", "source", "sink", "run", "log"];
pub const DRIFT: Uses = &[
    "kafka",
    "source",
    "model",
    "packages",
    "batch",
    "sink",
    "drift",
    "observe",
    "state",
    "reference",
    "verdict",
    "labels",
    "reports",
    "run",
    "http",
    "log",
];
/// `drift calibrate`, `drift replay` and `drift backtest`: what a window is tested with, without a worker's state.
pub const DRIFT_TESTS: Uses =
    &["kafka", "source", "model", "packages", "sink", "drift", "observe", "reference", "verdict", "reports", "log"];
pub const DRIFT_EXPLAIN: Uses = &["source", "sink", "drift", "observe", "reports", "log"];
/// `score`, and the subcommands of `model`.
pub const MODEL: Uses = &["model", "packages", "log"];
/// `health`: where a worker listens.
pub const HEALTH: Uses = &["http"];
/// `check` looks at all that other commands would use, and the demo runs most of them.
pub const ALL: Uses = &[
    "kafka",
    "source",
    "decode",
    "model",
    "packages",
    "batch",
    "sink",
    "drift",
    "observe",
    "state",
    "reference",
    "verdict",
    "labels",
    "reports",
    "scaling",
    "run",
    "http",
    "log",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What `relations` and `check_drift` hold a section against.
    const HELD_AGAINST: &[(&str, &[&str])] = &[
        ("source", &["sink"]),
        ("sink", &["source"]),
        ("decode", &["source", "sink"]),
        ("run", &["source", "sink"]),
        ("drift", &["source", "sink", "observe"]),
        ("state", &["source", "sink", "drift", "labels"]),
        ("labels", &["drift"]),
    ];

    #[test]
    fn every_section_that_exists_is_used_and_no_other() {
        let declared = service::settings::declared_keys(&crate::settings::defaults()).expect("the defaults are TOML");
        let declared: BTreeSet<_> = declared.iter().filter_map(|key| key.split('.').next()).collect();
        assert_eq!(ALL.iter().copied().collect::<BTreeSet<_>>(), declared);
        for uses in [CLASSIFY, SCALER, REPLAY, DRIFT, DRIFT_TESTS, DRIFT_EXPLAIN, MODEL, HEALTH] {
            assert!(uses.iter().all(|section| declared.contains(section)), "{uses:?}");
            for (section, others) in HELD_AGAINST {
                let has_others = others.iter().all(|other| uses.contains(other));
                assert!(!uses.contains(section) || has_others, "{section} without {others:?} in {uses:?}");
            }
        }
    }
}
