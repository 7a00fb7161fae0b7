//! `[state]`: the compacted topic that holds what is counted, and how much of it a worker may hold in memory.

use std::time::Duration;

use schemas::Problem;
use serde::Deserialize;

/// A table below this could not hold one busy window of each length.
const BYTES_MIN: usize = 1 << 20;
/// Longer, and a worker that cannot go on would look as if it were at work.
const RESTORE_WAIT_MAX_MS: u64 = 900_000;

/// `[state]` as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// The topic; when not set, the first labelled topic's name with `-drift-state` behind it.
    pub topic: Option<String>,
    /// Make the topic, compacted, when it is missing.
    pub create_topic: bool,
    /// The most that a worker holds of it in memory.
    pub bytes_max: usize,
    /// Reading the state back after an assignment; longer than a dead worker's transaction can stay open.
    pub restore_wait_ms: u64,
}

/// Checked settings of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateConfig {
    topic: Option<String>,
    pub(super) create_topic: bool,
    pub(super) bytes_max: usize,
    pub(super) restore_wait: Duration,
}

impl StateConfig {
    /// The state topic of a worker that reads these labelled topics.
    pub fn topic(&self, labelled: &[String]) -> String {
        let usual = || format!("{}-drift-state", labelled.first().map_or("", String::as_str));
        self.topic.clone().unwrap_or_else(usual)
    }

    /// For relations with the sink: it must be above `sink.transaction_timeout_ms`.
    pub fn restore_wait(&self) -> Duration {
        self.restore_wait
    }
}

impl TryFrom<StateSettings> for StateConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: StateSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, expected: String| problems.push(Problem::new(format!("state.{key}"), expected));
        let StateSettings { topic, create_topic, bytes_max, restore_wait_ms } = settings;
        if topic.as_ref().is_some_and(String::is_empty) {
            problem("topic", "expected the name of a topic, found an empty string".to_owned());
        }
        if bytes_max < BYTES_MIN {
            problem("bytes_max", format!("expected at least {BYTES_MIN} bytes, found {bytes_max}"));
        }
        if !(1000..=RESTORE_WAIT_MAX_MS).contains(&restore_wait_ms) {
            problem("restore_wait_ms", format!("expected 1000 to {RESTORE_WAIT_MAX_MS} ms, found {restore_wait_ms}"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { topic, create_topic, bytes_max, restore_wait: Duration::from_millis(restore_wait_ms) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> StateSettings {
        StateSettings { topic: None, create_topic: true, bytes_max: 512 << 20, restore_wait_ms: 120_000 }
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        let keys = |settings: StateSettings| {
            let problems = StateConfig::try_from(settings).err().unwrap_or_default();
            problems.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(settings()), [""; 0]);
        let wrong = StateSettings { topic: Some(String::new()), bytes_max: 5, restore_wait_ms: 10, ..settings() };
        assert_eq!(keys(wrong), ["state.topic", "state.bytes_max", "state.restore_wait_ms"]);
    }

    #[test]
    fn the_topic_is_named_after_the_first_labelled_one() {
        let labelled = ["labels".to_owned(), "more".to_owned()];
        let named =
            |topic| StateConfig::try_from(StateSettings { topic, ..settings() }).expect("valid").topic(&labelled);
        assert_eq!(named(None), "labels-drift-state");
        assert_eq!(named(Some("own".to_owned())), "own");
    }
}
