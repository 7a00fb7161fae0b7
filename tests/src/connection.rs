//! How the suites connect: without TLS and SASL, as the brokers of the harness listen.

use kafka::connection::{Connection, ConnectionSettings, SecurityProtocol};

/// A checked connection to a broker without TLS and SASL.
pub fn plaintext(broker: &str) -> Connection {
    Connection::try_from(ConnectionSettings {
        brokers: vec![broker.to_owned()],
        security_protocol: SecurityProtocol::Plaintext,
        sasl_mechanism: None,
        sasl_username: None,
        sasl_password: None,
        ssl_ca_file: None,
        ssl_certificate_file: None,
        ssl_private_key_file: None,
        ssl_private_key_password: None,
        properties: [("broker.address.family".to_owned(), "v4".to_owned())].into(),
    })
    .expect("valid settings")
}
