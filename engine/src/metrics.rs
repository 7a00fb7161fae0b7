//! The names of this crate's metrics and what they mean. Values are recorded per run of the model.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Texts per run of the model. Histogram.
pub const RUN_TEXTS: &str = "labelstream_run_texts";
/// Tokens per run of the model, padding included. Histogram.
pub const RUN_TOKENS: &str = "labelstream_run_tokens";
/// Tokens given to the model, padding included. Counter.
pub const PADDED_TOKENS: &str = "labelstream_padded_tokens_total";
/// Tokens given to the model that belong to texts. Counter; `1 - real / padded` is the padding waste.
pub const REAL_TOKENS: &str = "labelstream_real_tokens_total";
/// Texts answered from the cache, or by an identical text under way. Counter.
pub const CACHE_HITS: &str = "labelstream_cache_hits_total";
/// Texts that the model was asked for. Counter.
pub const CACHE_MISSES: &str = "labelstream_cache_misses_total";
/// Time to tokenise up to 16 texts on one thread. Histogram, seconds.
pub const TOKENISE_SECONDS: &str = "labelstream_tokenise_seconds";
/// Time of one run of the model, with its repetitions where it fails. Histogram, seconds.
pub const INFERENCE_SECONDS: &str = "labelstream_inference_seconds";
/// Failing runs that were cut in two. Counter.
pub const BISECTIONS: &str = "labelstream_bisections_total";
/// Times that the model failed on `model.failures_max` texts in a row and labelled a known one. Counter.
pub const ACQUITTALS: &str = "labelstream_acquittals_total";
/// 1 while a model is in use, 0 once it was removed; its labels say which. Gauge.
pub const MODEL_INFO: &str = "labelstream_model_info";

/// Bucket bounds for [`RUN_TEXTS`].
pub const RUN_TEXTS_BUCKETS: &[f64] = &[1., 2., 4., 8., 16., 32., 64., 128., 256., 512.];
/// Bucket bounds for [`RUN_TOKENS`].
pub const RUN_TOKENS_BUCKETS: &[f64] = &[16., 32., 64., 128., 256., 384., 512., 1024., 2048., 8192.];
/// Bucket bounds for both stage times, seconds.
pub const SECONDS_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1., 2.5, 5., 10.];

/// Registers every metric's unit and meaning with the installed recorder.
pub fn describe() {
    describe_histogram!(RUN_TEXTS, Unit::Count, "texts per run of the model");
    describe_histogram!(RUN_TOKENS, Unit::Count, "tokens per run of the model, padding included");
    describe_counter!(PADDED_TOKENS, Unit::Count, "tokens given to the model, padding included");
    describe_counter!(REAL_TOKENS, Unit::Count, "tokens given to the model, padding excluded");
    describe_counter!(CACHE_HITS, Unit::Count, "texts answered by an identical earlier text");
    describe_counter!(CACHE_MISSES, Unit::Count, "texts given to the model");
    describe_histogram!(TOKENISE_SECONDS, Unit::Seconds, "time to tokenise some texts, on one thread");
    describe_histogram!(INFERENCE_SECONDS, Unit::Seconds, "time of one run of the model, with its repetitions");
    describe_counter!(BISECTIONS, Unit::Count, "failed runs that were split in two");
    describe_counter!(
        ACQUITTALS,
        Unit::Count,
        "times that a session failed on many texts in a row, then labelled a known one"
    );
    describe_gauge!(MODEL_INFO, Unit::Count, "1 while the model of the labels is in use, 0 once it was removed");
}
