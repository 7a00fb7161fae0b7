//! Log and metrics of a worker, installed once: where every histogram of the program gets its buckets.

use classifier::pipeline::metrics::{BATCH_RECORDS, RECORD_AGE_SECONDS, STAGE_SECONDS};
use drift::metrics::{CHECKPOINT_SECONDS, REPORT_SECONDS, RESTORE_SECONDS};
use engine::metrics::{
    INFERENCE_SECONDS, RUN_TEXTS, RUN_TEXTS_BUCKETS, RUN_TOKENS, RUN_TOKENS_BUCKETS, SECONDS_BUCKETS, TOKENISE_SECONDS,
};
use kafka::metrics::{COMMIT_TIME, PAUSE, TRANSACTION_TIME};
use service::settings::Misnamed;
use service::telemetry::{Buckets, Metrics, TelemetryError, install_log, install_metrics};
use workers::settings::Config;

/// Records of a batch: 1 at low load, `batch.records_max` under backlog.
const BATCH_RECORDS_BUCKETS: &[f64] = &[1., 2., 4., 8., 16., 32., 64., 128., 256., 512., 1024.];
/// From a record's timestamp to its commit, seconds: milliseconds in a live stream, hours after a standstill.
const RECORD_AGE_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1., 5., 30., 300., 3600., 86_400.];
/// Pauses of the source, seconds: from one batch to a broker that is gone.
const PAUSE_BUCKETS: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1., 5., 30., 120., 600.];

const BUCKETS: &[Buckets] = &[
    Buckets { metric: RUN_TEXTS, bounds: RUN_TEXTS_BUCKETS },
    Buckets { metric: RUN_TOKENS, bounds: RUN_TOKENS_BUCKETS },
    Buckets { metric: TOKENISE_SECONDS, bounds: SECONDS_BUCKETS },
    Buckets { metric: INFERENCE_SECONDS, bounds: SECONDS_BUCKETS },
    Buckets { metric: BATCH_RECORDS, bounds: BATCH_RECORDS_BUCKETS },
    Buckets { metric: STAGE_SECONDS, bounds: SECONDS_BUCKETS },
    Buckets { metric: RECORD_AGE_SECONDS, bounds: RECORD_AGE_BUCKETS },
    Buckets { metric: PAUSE, bounds: PAUSE_BUCKETS },
    Buckets { metric: TRANSACTION_TIME, bounds: SECONDS_BUCKETS },
    Buckets { metric: COMMIT_TIME, bounds: SECONDS_BUCKETS },
    Buckets { metric: CHECKPOINT_SECONDS, bounds: SECONDS_BUCKETS },
    Buckets { metric: REPORT_SECONDS, bounds: SECONDS_BUCKETS },
    Buckets { metric: RESTORE_SECONDS, bounds: PAUSE_BUCKETS },
];

/// Warns of environment variables that are ignored, probably because of a typo.
pub fn warn_of(misnamed: &[Misnamed]) {
    for Misnamed { variable, right } in misnamed {
        tracing::warn!(variable, "this environment variable is ignored; did you mean {right}?");
    }
}

/// Sends the log to stderr and keeps metrics for `/metrics`.
///
/// # Errors
/// When either is installed already.
pub fn install(config: &Config) -> Result<Metrics, TelemetryError> {
    install_log(config.log())?;
    let metrics = install_metrics(BUCKETS)?;
    engine::metrics::describe();
    classifier::pipeline::metrics::describe();
    drift::metrics::describe();
    kafka::metrics::describe();
    sink::metrics::describe();
    workers::metrics::describe();
    Ok(metrics)
}
