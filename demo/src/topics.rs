//! The topics of the demo: named, made, and on the user's own cluster taken away again.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::error::DemoError;

/// Partitions of each topic: enough to see that records keep their partition and their order in it.
const PARTITIONS: i32 = 4;
/// The broker's own default number of replicas.
const REPLICATION: TopicReplication<'static> = TopicReplication::Fixed(-1);
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

    /// Makes the topics.
    ///
    /// # Errors
    /// When the broker does not answer or refuses.
    pub(crate) async fn create(&self, client: &ClientConfig) -> Result<(), DemoError> {
        let admin: AdminClient<DefaultClientContext> = client.create().map_err(DemoError::Client)?;
        let topics = self.names().map(|name| NewTopic::new(name, PARTITIONS, REPLICATION));
        let made = admin.create_topics(&topics, &options()).await.map_err(DemoError::Client)?;
        made.into_iter().try_for_each(|topic| {
            topic.map(drop).map_err(|(topic, code)| DemoError::Topic { doing: "create", topic, code })
        })
    }

    /// Takes the topics away again.
    ///
    /// # Errors
    /// When the broker does not answer or refuses.
    pub(crate) async fn delete(&self, client: &ClientConfig) -> Result<(), DemoError> {
        let admin: AdminClient<DefaultClientContext> = client.create().map_err(DemoError::Client)?;
        let [input, output, dead_letter] = self.names();
        let all = [input, output, dead_letter, &self.state];
        let gone = admin.delete_topics(&all, &options()).await.map_err(DemoError::Client)?;
        gone.into_iter().try_for_each(|topic| {
            topic.map(drop).map_err(|(topic, code)| DemoError::Topic { doing: "delete", topic, code })
        })
    }

    pub(crate) fn partitions() -> std::ops::Range<i32> {
        0..PARTITIONS
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_WITHIN)).operation_timeout(Some(ANSWER_WITHIN))
}
