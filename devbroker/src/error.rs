//! Why a broker did not start. Everything that goes wrong later is an answer to a client, not an error of this crate.

use std::net::SocketAddr;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The broker has no authentication, so it is kept off the network unless `allow_non_loopback` is set.
    #[error("listen on {0}: not a loopback address, and allow_non_loopback is off")]
    NotLoopback(SocketAddr),
    #[error("listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("start the broker's runtime")]
    Runtime(#[source] std::io::Error),
    #[error("create topic {topic}: {reason}")]
    Topic { topic: String, reason: String },
}
