//! Who publishes: a replica of a group, over a connection. Its transactional id, and whom the broker sees.

use rdkafka::config::ClientConfig;

use crate::connection::Connection;

/// Who publishes, and how it reaches the cluster.
#[derive(Clone, Debug)]
pub struct Identity {
    pub connection: Connection,
    pub group: String,
    /// The replica's name, unique in its group. The transactional id derives from it: a second process under the same
    /// name fences this one.
    pub instance: String,
}

impl Identity {
    /// Group and instance of no two replicas make the same id: an instance holds no slash, so the last one parts them.
    pub fn transactional_id(&self) -> String {
        format!("{}/{}", self.group, self.instance)
    }

    /// Whom the broker sees, as far as the settings tell.
    pub fn principal(&self) -> String {
        self.connection.principal()
    }

    /// The brokers, for messages.
    pub(crate) fn brokers(&self) -> &str {
        self.connection.brokers()
    }

    /// A client's options to begin with.
    pub(crate) fn client(&self) -> ClientConfig {
        self.connection.client()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_replicas_have_one_transactional_id() {
        let connection = Connection::plaintext("localhost:1");
        let id = |group: &str, instance: &str| {
            let (group, instance) = (group.to_owned(), instance.to_owned());
            Identity { connection: connection.clone(), group, instance }.transactional_id()
        };
        assert_eq!(id("team", "a-1"), "team/a-1");
        assert_ne!(id("team", "a-1"), id("team-a", "1"));
        // A group may hold any sign, an instance no slash.
        assert_ne!(id("team/a", "1"), id("team", "a-1"));
    }
}
