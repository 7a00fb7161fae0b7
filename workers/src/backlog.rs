//! The backlog of a group as those who scale its workers are told it: what waits, how fast it is worked off, how long that
//! takes, and how old the oldest record is.
//!
//! Kafka is asked when somebody asks us, and not again within `scaling.look_every_ms`: it costs nothing where nobody scales
//! by it.

mod pace;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::backlog::{Backlog, BacklogError, BacklogReader};
use kafka::clock::now_ms;
use kafka::connection::Connection;
use kafka::settings::SourceConfig;
use parking_lot::Mutex;
use serde::Serialize;
use service::http::Ask;

use crate::metrics;
use crate::settings::Config;
use crate::settings::scaling::ScalingConfig;
use pace::Pace;

/// What is told, as `/backlog` answers it; `docs/scaling.md` says what each number means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacklogReport {
    pub group: String,
    pub topics: Vec<String>,
    /// Whether a worker is needed.
    pub active: bool,
    pub records: u64,
    pub records_per_second: f64,
    pub drain_seconds: f64,
    pub oldest_age_seconds: f64,
    pub partitions: usize,
    pub partitions_waiting: usize,
    /// Whether the group has ever committed an offset of these topics that is still there.
    pub group_known: bool,
}

/// Looks at the backlog when asked, and remembers the last look.
pub struct BacklogWatch {
    connection: Connection,
    source: SourceConfig,
    config: ScalingConfig,
    state: Mutex<State>,
}

struct State {
    /// Connected by the first look.
    reader: Option<BacklogReader>,
    pace: Pace,
    last: Option<(Instant, Backlog)>,
}

impl BacklogWatch {
    /// For the group and the topics of `[source]`; connects and asks nothing yet.
    pub fn new(config: &Config) -> Arc<Self> {
        let (connection, source, config) = (config.connection().clone(), config.source().clone(), config.scaling());
        let state = State { reader: None, pace: Pace::new(config.rate_over()), last: None };
        Arc::new(Self { connection, source, config, state: Mutex::new(state) })
    }

    /// What waits, at most `scaling.look_every_ms` ago. Blocks while Kafka is asked.
    ///
    /// # Errors
    /// When Kafka cannot be asked: nothing is known then, and nothing old is told in its place.
    pub fn report(&self) -> Result<BacklogReport, BacklogError> {
        let report = self.look();
        match &report {
            Ok(report) => metrics::backlog(report.records, report.drain_seconds, report.oldest_age_seconds),
            Err(_) => metrics::backlog_unknown(),
        }
        report
    }

    fn look(&self) -> Result<BacklogReport, BacklogError> {
        let mut state = self.state.lock();
        let State { reader, pace, last } = &mut *state;
        let is_fresh = last.as_ref().is_some_and(|(at, _)| at.elapsed() < self.config.look_every());
        if !is_fresh {
            *last = None;
            let backlog = match reader {
                Some(reader) => reader.look()?,
                None => reader.insert(self.connect()?).look()?,
            };
            let now = Instant::now();
            pace.heard(now, backlog.committed.clone());
            *last = Some((now, backlog));
        }
        let (_, backlog) = last.as_ref().expect("a look that fails returns above");
        Ok(self.told(backlog, pace.records_per_second(), now_ms()))
    }

    fn connect(&self) -> Result<BacklogReader, BacklogError> {
        let (group, topics) = (self.source.group(), self.source.topics());
        BacklogReader::new(&self.connection, group, topics, self.source.request_wait())
    }

    /// How long an answer is told before Kafka is asked again.
    pub fn look_every(&self) -> Duration {
        self.config.look_every()
    }

    #[expect(clippy::cast_precision_loss, reason = "records and milliseconds far below 2^52")]
    fn told(&self, backlog: &Backlog, measured: f64, now_ms: i64) -> BacklogReport {
        let age_ms = backlog.oldest_ms.map_or(0, |oldest| (now_ms - oldest).max(0));
        let rate = measured.max(self.config.records_per_second());
        BacklogReport {
            group: self.source.group().to_owned(),
            topics: self.source.topics().to_vec(),
            active: backlog.records > 0,
            records: backlog.records,
            records_per_second: measured,
            drain_seconds: backlog.records as f64 / rate,
            oldest_age_seconds: age_ms as f64 / 1000.0,
            partitions: backlog.partitions,
            partitions_waiting: backlog.waiting,
            group_known: !backlog.committed.is_empty(),
        }
    }
}

/// The same for `/backlog`.
pub fn page(watch: &Arc<BacklogWatch>) -> Ask {
    let watch = Arc::clone(watch);
    Box::new(move || {
        let report = watch.report().map_err(|error| error.to_string())?;
        serde_json::to_value(report).map_err(|error| error.to_string())
    })
}
