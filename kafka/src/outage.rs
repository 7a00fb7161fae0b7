//! Why no broker answers, in one sentence a broker, out of what the Kafka client says about its connections.
//!
//! The client's error codes say "all brokers down" for everything; the cause stands in its texts alone. Texts that are not
//! known here are passed on as they are.

use std::collections::BTreeMap;

/// Brokers named in one message, so that it stays one.
const NAMED_MAX: usize = 3;

/// The newest trouble with each broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outage {
    said: BTreeMap<String, String>,
}

impl Outage {
    /// Takes what the client says about one connection: the broker, a colon, and what happened.
    pub(crate) fn note(&mut self, said: &str) {
        if let Some((broker, said)) = said.split_once(": ") {
            self.said.insert(broker.to_owned(), said.to_owned());
        }
    }

    /// A broker answered.
    pub(crate) fn clear(&mut self) {
        self.said.clear();
    }

    /// What is wrong, broker by broker; `None` where nothing was said.
    pub(crate) fn cause(&self) -> Option<String> {
        let mut causes: Vec<String> = self.said.iter().map(|(broker, said)| cause(broker, said)).collect();
        let more = causes.len().saturating_sub(NAMED_MAX);
        causes.truncate(NAMED_MAX);
        if more > 0 {
            causes.push(format!("and {more} more brokers"));
        }
        (!causes.is_empty()).then(|| causes.join("; "))
    }
}

/// What the client's words mean, the first that fits.
const MEANINGS: &[(&[&str], &str)] = &[
    (&["Connection refused"], "connection refused; does a broker listen on this port?"),
    (&["Failed to resolve"], "the host name cannot be resolved"),
    (
        &["certificate verify failed", "certificate could not be verified"],
        "its TLS certificate is not trusted (kafka.ssl_ca_file)",
    ),
    (
        &["client SSL authentication"],
        "the TLS handshake failed: the broker asks for a certificate (kafka.ssl_certificate_file)",
    ),
    (
        &[
            "PLAINTEXT broker listener",
            "SSL connection closed by peer",
            "wrong version number",
            "packet length too long",
            "http request",
        ],
        "the TLS handshake failed; this port seems to speak plaintext (kafka.security_protocol)",
    ),
    (&["SSL handshake failed"], "the TLS handshake failed (kafka.security_protocol, kafka.ssl_ca_file)"),
    (
        &["incorrect security.protocol"],
        "the broker closed the connection; this port may expect TLS or a login (kafka.security_protocol)",
    ),
    (&["might require SASL"], "the broker closed the connection; it may expect a login (kafka.security_protocol)"),
    (&["SASL", "authentication"], "the login was refused (kafka.sasl_username, kafka.sasl_password)"),
    (&["No route to host", "Network is unreachable", "unreachable"], "there is no route to this host"),
    (&["timed out"], "no answer; is a firewall in between?"),
];

fn cause(broker: &str, said: &str) -> String {
    // `ssl://host:9092/bootstrap`, or with the broker's number at the end once the cluster has named it.
    let name = broker.rsplit("://").next().unwrap_or(broker);
    let (address, number) = name.split_once('/').unwrap_or((name, "bootstrap"));
    let meaning = MEANINGS.iter().find(|(words, _)| words.iter().any(|word| said.contains(word)));
    let meaning = meaning.map_or_else(|| said.split(" (after ").next().unwrap_or(said), |(_, meaning)| meaning);
    let named = if number == "bootstrap" { "" } else { ", as the cluster names this broker (advertised.listeners)" };
    format!("{address}{named}: {meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_sentence() {
        for (said, expected) in [
            (
                "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
                "127.0.0.1:1: connection refused; does a broker listen on this port?",
            ),
            (
                "no.such.host:9092/bootstrap: Failed to resolve 'no.such.host:9092': Name or service not known (after 3ms in state CONNECT)",
                "no.such.host:9092: the host name cannot be resolved",
            ),
            (
                "kafka:29092/2: Failed to resolve 'kafka:29092': Name or service not known (after 3ms in state CONNECT)",
                "kafka:29092, as the cluster names this broker (advertised.listeners): the host name cannot be \
                 resolved",
            ),
            (
                "ssl://localhost:9092/bootstrap: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener? (after 1ms in state SSL_HANDSHAKE)",
                "localhost:9092: the TLS handshake failed; this port seems to speak plaintext (kafka.security_protocol)",
            ),
            (
                "ssl://localhost:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified (after 5ms in state SSL_HANDSHAKE)",
                "localhost:9093: its TLS certificate is not trusted (kafka.ssl_ca_file)",
            ),
            (
                "localhost:9093/bootstrap: Disconnected: requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) (after 1ms in state APIVERSION_QUERY)",
                "localhost:9093: the broker closed the connection; this port may expect TLS or a login (kafka.security_protocol)",
            ),
            (
                "sasl_ssl://a:9092/bootstrap: SASL authentication error: Authentication failed (after 90ms in state AUTH_REQ)",
                "a:9092: the login was refused (kafka.sasl_username, kafka.sasl_password)",
            ),
            (
                "a:9092/bootstrap: Connection setup timed out in state CONNECT (after 30029ms in state CONNECT)",
                "a:9092: no answer; is a firewall in between?",
            ),
            ("a:9092/bootstrap: something new (after 1ms in state UP)", "a:9092: something new"),
        ] {
            let mut outage = Outage::default();
            outage.note(said);
            assert_eq!(outage.cause().as_deref(), Some(expected));
        }
    }

    #[test]
    fn each_broker_is_named_with_its_newest_trouble_and_few_of_many() {
        let mut outage = Outage::default();
        assert_eq!(outage.cause(), None);
        for (port, said) in [(1, "old"), (2, "down"), (1, "new"), (3, "down"), (4, "down"), (5, "down")] {
            outage.note(&format!("a:{port}/bootstrap: {said}"));
        }
        assert_eq!(outage.cause().as_deref(), Some("a:1: new; a:2: down; a:3: down; and 2 more brokers"));
        outage.clear();
        assert_eq!(outage.cause(), None);
    }
}
