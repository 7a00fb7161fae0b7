//! The Kafka of one demo: the broker inside this process, or the user's own.

use devbroker::Broker;
use service::settings::{Flag, Layers};
use workers::error::WorkerError;
use workers::settings::uses;
use workers::settings::{self, Config};

use crate::drift;
use crate::error::DemoError;
use crate::options::Options;
use crate::say::say;
use crate::topics::Topics;

/// The broker of this run, and what is needed to talk to it.
pub(crate) struct Kafka {
    /// The broker inside this process; it forgets everything when it is dropped.
    broker: Option<Broker>,
    pub(crate) topics: Topics,
    /// Settings of the worker.
    pub(crate) config: Config,
}

impl Kafka {
    /// Starts or finds the broker, and makes the topics.
    ///
    /// # Errors
    /// When the settings cannot be used or the broker cannot be reached.
    pub(crate) fn reach(options: &Options) -> Result<Self, DemoError> {
        let (broker, topics) = if options.brokers.is_some() {
            (None, Topics::of_run(fastrand::u32(..)))
        } else {
            say("Starting a broker inside this process (devbroker: in memory, not for production).\n")?;
            (Some(Broker::start_blocking(devbroker::Config::default())?), Topics::plain())
        };
        let address = broker.as_ref().map(|broker| broker.address().to_string());
        let config = load(options, &topics, address)?;
        if broker.is_none() {
            say(&format!("Creating topics on {}: {}.\n", config.connection().brokers(), topics.names().join(", ")))?;
        }
        topics.create(config.connection())?;
        Ok(Self { broker, topics, config })
    }

    /// For people: where the records travel.
    pub(crate) fn name(&self) -> &str {
        self.broker.as_ref().map_or(self.config.connection().brokers(), |_| "in-process devbroker")
    }

    /// Takes the topics away from the user's own cluster; what the group has committed expires there by itself.
    ///
    /// # Errors
    /// When the topics cannot be deleted; the error names the first.
    pub(crate) fn leave(&self) -> Result<(), DemoError> {
        if self.broker.is_some() { Ok(()) } else { self.topics.delete(self.config.connection()) }
    }
}

/// The settings of the worker. The user's settings file and environment count only where the user's own cluster is
/// used: a file that happens to be there must not change what a newcomer sees.
fn load(options: &Options, topics: &Topics, address: Option<String>) -> Result<Config, DemoError> {
    let mut layers = if address.is_some() {
        Layers::default()
    } else {
        Layers::from_process(None).map_err(WorkerError::Settings)?
    };
    let flag = |name, key, text: &str| Flag { name, key, text: text.to_owned() };
    layers.flags = vec![
        flag("demo", "source.topics", &topics.input),
        flag("demo", "source.group", &topics.input),
        flag("demo", "source.instance", "demo"),
        flag("demo", "sink.output_topic", &topics.output),
        flag("demo", "sink.dead_letter_topic", &topics.dead_letter),
        flag("demo", "http.enabled", "false"),
        // Every message that is sent is accounted for in one of the two topics.
        flag("demo", "decode.tombstones", "dead_letter"),
    ];
    layers.flags.extend(drift::flags(topics, &options.reports));
    layers.flags.extend(address.or(options.brokers.clone()).map(|text| flag("--brokers", "kafka.brokers", &text)));
    layers.flags.extend(options.model.as_ref().map(|text| flag("--model", "model.package", text)));
    layers.sets.clone_from(&options.set);
    Ok(settings::load(&layers, uses::ALL).map_err(WorkerError::Settings)?.config)
}
