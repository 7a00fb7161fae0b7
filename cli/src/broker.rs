//! `labelstream broker`: the devbroker on a port, for trying things out with any Kafka client.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use devbroker::{Broker, Config, TopicSpec};

use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  labelstream broker --port 9092
  labelstream broker --port 9092 --topic messages:4 --topic messages-labeled:4

Then, in another terminal:
  echo '{\"text\":\"My card has not arrived\"}' | kcat -P -b localhost:9092 -t messages
  labelstream classify --brokers localhost:9092 --input messages --output messages-labeled
  kcat -C -b localhost:9092 -t messages-labeled";

/// Run a small in-memory Kafka broker, for trying things out.
///
/// It keeps data in memory only, has no authentication and no encryption, and is not for production. Topics are created
/// when a client asks for them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BrokerArguments {
    /// Port to listen on; 0 takes a free one and prints it
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// A topic to create at the start; can be repeated
    #[arg(long, value_name = "NAME[:PARTITIONS]")]
    topic: Vec<Topic>,
    /// Default number of partitions of a topic
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,
    /// Listen on all network interfaces: anyone who can connect can read and write everything
    #[arg(long)]
    allow_remote: bool,
}

/// A topic as `--topic` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Topic {
    name: String,
    partitions: Option<i32>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum TopicError {
    #[error("expected a name, or a name and a count such as messages:4")]
    NoName,
    #[error("{0:?} is not a number of partitions (1 to 1000)")]
    BadPartitions(String),
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let (name, partitions) = match text.rsplit_once(':') {
            None => (text, None),
            Some((name, count)) => {
                let partitions = count
                    .parse()
                    .ok()
                    .filter(|count| (1..=1_000).contains(count))
                    .ok_or_else(|| TopicError::BadPartitions(count.to_owned()))?;
                (name, Some(partitions))
            }
        };
        if name.is_empty() {
            return Err(TopicError::NoName);
        }
        Ok(Self { name: name.to_owned(), partitions })
    }
}

/// Serves until stopped.
///
/// # Errors
/// When the port is taken or a topic cannot be created.
pub fn run(arguments: &BrokerArguments) -> Result<(), Failure> {
    let address =
        if arguments.allow_remote { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let topics = arguments.topic.iter().map(|topic| {
        let partitions = topic.partitions.unwrap_or(arguments.partitions);
        TopicSpec::new(&topic.name, partitions)
    });
    let stop = service::shutdown::listen(|| ())?;
    let broker = Broker::start_blocking(Config {
        listen: SocketAddr::new(address, arguments.port),
        allow_non_loopback: arguments.allow_remote,
        topics: topics.collect(),
        default_partitions: arguments.partitions,
        ..Config::default()
    })?;
    let banner = format!(
        "labelstream broker listens on {}\n\
         In memory only, no authentication, no encryption: not for production. Ctrl-C stops it, and all data is \
         lost.\n",
        broker.address()
    );
    let mut out = io::stdout().lock();
    out.write_all(banner.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Stdout)?;
    let reactor = tokio::runtime::Builder::new_current_thread().build().map_err(Failure::Reactor)?;
    reactor.block_on(stop.cancelled());
    broker.shutdown();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_named_with_or_without_a_count() {
        let topic = |name: &str, partitions| {
            let name = name.to_owned();
            Ok(Topic { name, partitions })
        };
        let bad = |count: &str| Err(TopicError::BadPartitions(count.to_owned()));
        assert_eq!("messages".parse(), topic("messages", None));
        assert_eq!("messages:4".parse(), topic("messages", Some(4)));
        assert_eq!("messages:0".parse::<Topic>(), bad("0"));
        assert_eq!("messages:".parse::<Topic>(), bad(""));
        assert_eq!("messages:many".parse::<Topic>(), bad("many"));
        assert_eq!(":4".parse::<Topic>(), Err(TopicError::NoName));
    }
}
