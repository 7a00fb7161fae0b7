//! How to reach the cluster: brokers, TLS, SASL. Checked once, used by every client.
//!
//! Options that carry correctness, or that have a setting of their own, are refused under `[kafka.properties]`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use schemas::Problem;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// `[kafka]` as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionSettings {
    /// `host:port` of some brokers; the others are found through them.
    pub brokers: Vec<String>,
    pub security_protocol: SecurityProtocol,
    pub sasl_mechanism: Option<SaslMechanism>,
    pub sasl_username: Option<String>,
    pub sasl_password: Option<SecretString>,
    /// Certificates that a broker's own must be signed by; the system's when not set.
    pub ssl_ca_file: Option<PathBuf>,
    /// This client's certificate, where brokers ask for one.
    pub ssl_certificate_file: Option<PathBuf>,
    pub ssl_private_key_file: Option<PathBuf>,
    pub ssl_private_key_password: Option<SecretString>,
    /// Any further librdkafka property, for both clients.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// Whether the connection is encrypted, and whether it is authenticated by SASL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

/// How SASL proves who we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SaslMechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// Checked: what a client needs in order to connect.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    properties: Vec<(String, String)>,
}

impl Connection {
    /// librdkafka properties, secrets included: never print them.
    pub fn properties(&self) -> &[(String, String)] {
        &self.properties
    }

    /// A client's options to begin with.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (name, value) in &self.properties {
            client.set(name, value);
        }
        client
    }

    /// Whom the broker sees, as far as the settings tell.
    pub fn principal(&self) -> String {
        let property = |wanted: &str| self.properties.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let is_sasl = property("security.protocol").is_some_and(|protocol| protocol.starts_with("sasl"));
        match (property("sasl.username").or(property("sasl.mechanism")), property("ssl.certificate.location")) {
            (Some(_), _) if is_sasl => match property("sasl.username") {
                Some(name) => format!("user {name}"),
                None => "this user (its SASL mechanism names it)".to_owned(),
            },
            (_, Some(file)) => format!("this user (its name is that of the certificate {file})"),
            _ => "this user (without SASL the broker sees User:ANONYMOUS)".to_owned(),
        }
    }

    /// The brokers as one text, for messages.
    pub fn brokers(&self) -> &str {
        self.properties.first().map_or("", |(_, brokers)| brokers)
    }
}

#[cfg(test)]
impl Connection {
    /// Brokers that nothing else is known of.
    pub(crate) fn plaintext(brokers: &str) -> Self {
        Self { properties: vec![("bootstrap.servers".to_owned(), brokers.to_owned())] }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("brokers", &self.brokers()).finish_non_exhaustive()
    }
}

/// Properties that are refused, with the reason or the setting to use instead.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("acks", "exactly-once needs acknowledgement by all in-sync replicas"),
    ("allow.auto.create.topics", "a missing topic must be an error"),
    ("auto.offset.reset", "use source.offset_reset"),
    ("bootstrap.servers", "use kafka.brokers"),
    ("metadata.broker.list", "use kafka.brokers"),
    ("compression.codec", "use sink.compression"),
    ("compression.type", "use sink.compression"),
    ("delivery.timeout.ms", "use sink.publish_wait_ms"),
    ("message.timeout.ms", "use sink.publish_wait_ms"),
    ("enable.auto.commit", "offsets are committed together with their labels"),
    ("auto.commit.enable", "offsets are committed together with their labels"),
    ("auto.commit.interval.ms", "offsets are committed together with their labels"),
    ("enable.auto.offset.store", "offsets are committed together with their labels"),
    ("enable.idempotence", "exactly-once needs it"),
    ("enable.gapless.guarantee", "transactions take its place"),
    ("enable.partition.eof", "the end of a partition is found in another way"),
    ("fetch.max.bytes", "use source.prefetch_bytes_max"),
    ("fetch.message.max.bytes", "use source.prefetch_bytes_max"),
    ("max.partition.fetch.bytes", "use source.prefetch_bytes_max"),
    ("fetch.min.bytes", "one record is enough for an answer"),
    ("fetch.queue.backoff.ms", "reading waits for it"),
    ("fetch.wait.max.ms", "seeks and new partitions wait for it"),
    ("group.id", "use source.group"),
    ("group.instance.id", "use source.instance"),
    ("group.protocol", "generations need the classic protocol"),
    ("heartbeat.interval.ms", "it follows source.session_timeout_ms"),
    ("isolation.level", "uncommitted records would be labelled"),
    ("linger.ms", "a transaction waits for it"),
    ("queue.buffering.max.ms", "a transaction waits for it"),
    ("max.in.flight", "exactly-once needs ordered delivery"),
    ("max.in.flight.requests.per.connection", "exactly-once needs ordered delivery"),
    ("max.poll.interval.ms", "use source.max_poll_interval_ms"),
    ("message.max.bytes", "use sink.message_bytes_max"),
    ("partition.assignment.strategy", "use source.assignment"),
    ("queued.max.messages.kbytes", "use source.prefetch_bytes_max"),
    ("queued.min.messages", "use source.prefetch_bytes_max"),
    ("queuing.strategy", "exactly-once needs ordered delivery"),
    ("request.required.acks", "exactly-once needs acknowledgement by all in-sync replicas"),
    ("retries", "exactly-once needs retries"),
    ("message.send.max.retries", "exactly-once needs retries"),
    ("sasl.mechanism", "use kafka.sasl_mechanism"),
    ("sasl.mechanisms", "use kafka.sasl_mechanism"),
    ("sasl.password", "use kafka.sasl_password"),
    ("sasl.username", "use kafka.sasl_username"),
    ("security.protocol", "use kafka.security_protocol"),
    ("session.timeout.ms", "use source.session_timeout_ms"),
    ("ssl.ca.location", "use kafka.ssl_ca_file"),
    ("ssl.certificate.location", "use kafka.ssl_certificate_file"),
    ("ssl.key.location", "use kafka.ssl_private_key_file"),
    ("ssl.key.password", "use kafka.ssl_private_key_password"),
    ("statistics.interval.ms", "the lag metric depends on it"),
    ("topic.metadata.refresh.interval.ms", "use source.metadata_age_max_ms"),
    ("transaction.timeout.ms", "use sink.transaction_timeout_ms"),
    ("transactional.id", "it is derived from source.group and source.instance"),
];

impl TryFrom<ConnectionSettings> for Connection {
    type Error = Vec<Problem>;

    fn try_from(settings: ConnectionSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        check_brokers(&settings.brokers, &mut problems);
        check_sasl(&settings, &mut problems);
        check_files(&settings, &mut problems);
        check_properties(&settings.properties, &mut problems);
        if problems.is_empty() { Ok(Self { properties: properties(settings) }) } else { Err(problems) }
    }
}

fn check_brokers(brokers: &[String], problems: &mut Vec<Problem>) {
    if brokers.is_empty() {
        problems.push(Problem::new("kafka.brokers", "expected at least one host:port, found none"));
    }
    for broker in brokers {
        let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        if !matches!(port, Some(Ok(1..))) || broker.contains([',', ' ']) {
            problems.push(Problem::new(
                "kafka.brokers",
                format!("expected host:port such as localhost:9092, found {broker:?}"),
            ));
        }
    }
}

fn check_sasl(settings: &ConnectionSettings, problems: &mut Vec<Problem>) {
    let wanted = matches!(settings.security_protocol, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl);
    let given = [
        ("kafka.sasl_mechanism", settings.sasl_mechanism.is_some()),
        ("kafka.sasl_username", settings.sasl_username.is_some()),
        ("kafka.sasl_password", settings.sasl_password.is_some()),
    ];
    for (key, is_set) in given {
        if wanted && !is_set {
            problems.push(Problem::new(key, "expected a value, because kafka.security_protocol asks for SASL"));
        }
        if is_set && !wanted {
            let expected = "expected kafka.security_protocol to be sasl_ssl or sasl_plaintext, else it has no effect";
            problems.push(Problem::new(key, expected));
        }
    }
}

fn check_files(settings: &ConnectionSettings, problems: &mut Vec<Problem>) {
    let encrypted = matches!(settings.security_protocol, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl);
    let files = [
        ("kafka.ssl_ca_file", &settings.ssl_ca_file),
        ("kafka.ssl_certificate_file", &settings.ssl_certificate_file),
        ("kafka.ssl_private_key_file", &settings.ssl_private_key_file),
    ];
    for (key, file) in files {
        let Some(path) = file else { continue };
        if !encrypted {
            let expected = "expected kafka.security_protocol to be ssl or sasl_ssl, else it has no effect";
            problems.push(Problem::new(key, expected));
        } else if !path.is_file() {
            problems.push(Problem::new(key, format!("expected a file, found none at {}", path.display())));
        }
    }
    if settings.ssl_certificate_file.is_some() != settings.ssl_private_key_file.is_some() {
        let expected = "expected kafka.ssl_certificate_file and kafka.ssl_private_key_file together";
        problems.push(Problem::new("kafka.ssl_certificate_file", expected));
    }
}

fn check_properties(properties: &BTreeMap<String, String>, problems: &mut Vec<Problem>) {
    for (name, value) in properties {
        let key = format!("kafka.properties.{name}");
        if let Some((_, reason)) = REFUSED.iter().find(|(refused, _)| refused == name) {
            problems.push(Problem::new(key, format!("expected another property, this one is refused: {reason}")));
        } else if let Err(KafkaError::ClientConfig(_, reason, _, _)) =
            ClientConfig::new().set(name, value).create_native_config()
        {
            problems.push(Problem::new(key, format!("expected a property of librdkafka: {reason}")));
        }
    }
}

/// Puts the brokers first: [`Connection::brokers`] relies on it.
fn properties(settings: ConnectionSettings) -> Vec<(String, String)> {
    let mut properties = vec![("bootstrap.servers".to_owned(), settings.brokers.join(","))];
    let mut set = |name: &str, value: Option<String>| {
        properties.extend(value.map(|value| (name.to_owned(), value)));
    };
    let path = |path: Option<PathBuf>| path.map(|path| path.display().to_string());
    let secret = |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
    set("security.protocol", Some(settings.security_protocol.property().to_owned()));
    set("sasl.mechanism", settings.sasl_mechanism.map(|mechanism| mechanism.property().to_owned()));
    set("sasl.username", settings.sasl_username);
    set("sasl.password", secret(settings.sasl_password));
    set("ssl.ca.location", path(settings.ssl_ca_file));
    set("ssl.certificate.location", path(settings.ssl_certificate_file));
    set("ssl.key.location", path(settings.ssl_private_key_file));
    set("ssl.key.password", secret(settings.ssl_private_key_password));
    properties.extend(settings.properties);
    properties
}

impl SecurityProtocol {
    fn property(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

impl SaslMechanism {
    fn property(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ConnectionSettings {
        ConnectionSettings {
            brokers: vec!["one:9092".to_owned(), "two:9092".to_owned()],
            security_protocol: SecurityProtocol::Plaintext,
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password: None,
            ssl_ca_file: None,
            ssl_certificate_file: None,
            ssl_private_key_file: None,
            ssl_private_key_password: None,
            properties: BTreeMap::new(),
        }
    }

    fn keys(settings: ConnectionSettings) -> Vec<String> {
        Connection::try_from(settings)
            .map_or_else(|problems| problems.into_iter().map(|problem| problem.key).collect(), |_| Vec::new())
    }

    #[test]
    fn says_all_that_is_wrong_at_once() {
        let mut wrong = settings();
        wrong.brokers = vec!["one".to_owned(), ":9092".to_owned()];
        wrong.sasl_username = Some("me".to_owned());
        wrong.ssl_ca_file = Some("/no/such/file".into());
        for name in ["isolation.level", "no.such.property", "socket.keepalive.enable"] {
            wrong.properties.insert(name.to_owned(), "true".to_owned());
        }
        assert_eq!(
            keys(wrong),
            [
                "kafka.brokers",
                "kafka.brokers",
                "kafka.sasl_username",
                "kafka.ssl_ca_file",
                "kafka.properties.isolation.level",
                "kafka.properties.no.such.property",
            ]
        );
    }

    #[test]
    fn sasl_needs_all_its_parts_and_never_prints_the_password() {
        let mut sasl = settings();
        sasl.security_protocol = SecurityProtocol::SaslSsl;
        assert_eq!(keys(sasl.clone()), ["kafka.sasl_mechanism", "kafka.sasl_username", "kafka.sasl_password"]);
        sasl.sasl_mechanism = Some(SaslMechanism::ScramSha512);
        sasl.sasl_username = Some("me".to_owned());
        sasl.sasl_password = Some("hunter2".into());
        let connection = Connection::try_from(sasl).expect("complete");
        assert!(connection.properties().contains(&("sasl.password".to_owned(), "hunter2".to_owned())));
        assert_eq!(format!("{connection:?}"), "Connection { brokers: \"one:9092,two:9092\", .. }");
    }

    #[test]
    fn every_refused_property_is_one_of_librdkafka() {
        for (name, _) in REFUSED {
            let unknown = ClientConfig::new()
                .set(*name, "")
                .create_native_config()
                .err()
                .is_some_and(|error| error.to_string().contains("No such configuration property"));
            assert!(!unknown, "{name}");
        }
    }

    #[test]
    fn says_whom_the_broker_sees() {
        let principal = |properties: &[(&str, &str)]| {
            let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Connection { properties: properties.collect() }.principal()
        };
        let sasl = ("security.protocol", "sasl_ssl");
        assert_eq!(principal(&[sasl, ("sasl.username", "alice")]), "user alice");
        assert!(principal(&[sasl, ("sasl.mechanism", "GSSAPI")]).contains("SASL mechanism"));
        assert!(principal(&[("security.protocol", "ssl"), ("ssl.certificate.location", "/c.pem")]).contains("/c.pem"));
        assert!(principal(&[("security.protocol", "plaintext")]).contains("User:ANONYMOUS"));
    }
}
