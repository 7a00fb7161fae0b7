//! The topics of the demo: named, made, and on the user's own cluster taken away again.

use std::time::Duration;

use kafka::connection::Connection;
use kafka::topics::{self, Wanted};

use crate::error::DemoError;

/// Partitions of each topic: enough to see that records keep their partition and their order in it.
const PARTITIONS: i32 = 4;
/// A week, as brokers keep records by default.
const RETENTION_MS: i64 = 604_800_000;
/// A broker that does not answer within this time is not there.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Names of the topics that the demo uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topics {
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) dead_letter: String,
    /// The drift worker makes it itself, compacted.
    pub(crate) state: String,
}

impl Topics {
    /// Topics of the in-process broker, which has no others.
    pub(crate) fn plain() -> Self {
        Self::named("messages")
    }

    /// Topics on the user's own cluster: a name that no other run has, so that nothing of the user's is touched.
    pub(crate) fn of_run(run: u32) -> Self {
        Self::named(&format!("labelstream-demo-{run:08x}"))
    }

    fn named(input: &str) -> Self {
        Self {
            input: input.to_owned(),
            output: format!("{input}-labeled"),
            dead_letter: format!("{input}-dead-letters"),
            state: format!("{input}-drift-state"),
        }
    }

    pub(crate) fn names(&self) -> [&str; 3] {
        [&self.input, &self.output, &self.dead_letter]
    }

    /// Creates the topics.
    ///
    /// # Errors
    /// When the broker does not answer or refuses.
    pub(crate) fn create(&self, connection: &Connection) -> Result<(), DemoError> {
        let wanted = self.names().map(|name| Wanted {
            name: name.to_owned(),
            partitions: PARTITIONS,
            retention_ms: RETENTION_MS,
            bytes_max: None,
        });
        topics::create(connection, &wanted, ANSWER_WITHIN).map_err(DemoError::Topics)
    }

    /// Takes the topics away again.
    ///
    /// # Errors
    /// When the broker does not answer or refuses.
    pub(crate) fn delete(&self, connection: &Connection) -> Result<(), DemoError> {
        let [input, output, dead_letter] = self.names();
        let all = [input, output, dead_letter, &self.state];
        topics::delete(connection, &all, ANSWER_WITHIN).map_err(DemoError::Topics)
    }

    pub(crate) fn partitions() -> std::ops::Range<i32> {
        0..PARTITIONS
    }
}
