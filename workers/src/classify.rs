//! A worker put together: source, model and publisher for the pipeline, as `classify` and `demo` run it.

use std::sync::Arc;

use classifier::pipeline::{Limits, Parts, Progress, Supervision, supervise};
use engine::Client;
use kafka::consumer::KafkaSource;
use kafka::lease::{Leases, Losses};
use kafka::settings::{SourceConfig, UntilEnd};
use schemas::ModelId;
use sink::labels::{Encoder, KafkaPublisher};
use tokio_util::sync::CancellationToken;

use crate::error::WorkerError;
use crate::settings::Config;

/// Reads, labels and publishes as one member of its group.
pub struct Worker {
    parts: Parts<KafkaSource, KafkaPublisher>,
    limits: Limits,
    supervision: Supervision,
    leases: Arc<Leases>,
}

impl Worker {
    /// Joins the group and connects the publisher, for a model that is ready.
    ///
    /// # Errors
    /// When the broker does not answer in time, a topic is missing or may not be written.
    pub fn connect(config: &Config, model: Client, until_end: bool) -> Result<Self, WorkerError> {
        let source: SourceConfig = config.source().clone();
        let source = if until_end { source.until_end(UntilEnd::Committed) } else { source.telling_drained() };
        let source = KafkaSource::start(config.connection(), source)?;
        let leases = source.leases();
        let publisher = KafkaPublisher::connect(config.sink(), config.identity(), leases.lease_fn())?;
        Ok(Self {
            parts: Parts { source, decoder: config.decoder(), model, encoder: Encoder::new(config.sink()), publisher },
            limits: config.limits(),
            supervision: config.supervision(),
            leases,
        })
    }

    /// The model that labels.
    pub fn model(&self) -> &ModelId {
        self.parts.model.model()
    }

    /// Tells whether this worker is a member of its group; for readiness.
    pub fn membership(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let leases = Arc::clone(&self.leases);
        move || leases.lease(leases.generation()).is_some()
    }

    /// What could not be read, since the worker was connected.
    pub fn losses(&self) -> Losses {
        self.leases.losses()
    }

    /// Works until `stop`, or until the end that was asked for; `progress` tells how far it is.
    ///
    /// # Errors
    /// When something happened that a rewind cannot fix.
    pub fn run(&mut self, progress: &Progress, stop: &CancellationToken) -> Result<(), WorkerError> {
        Ok(supervise(&mut self.parts, self.limits, self.supervision, progress, stop)?)
    }
}
