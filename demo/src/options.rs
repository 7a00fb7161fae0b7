//! What a demo shows, and for how long.

/// What to show, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long to send messages; up to twice as long while the drift worker has not found the change.
    pub seconds: Option<u64>,
    /// How many records to send.
    pub records: Option<u64>,
    /// Records per second; without it the rate follows what this machine labels with ease.
    pub rate: Option<u32>,
    /// Kafka to use instead of the broker inside this process.
    pub brokers: Option<String>,
    /// Folder or address of a model package, instead of the one that comes with labelstream.
    pub model: Option<String>,
    /// Where drift reports go: a folder, or `s3://bucket/prefix`.
    pub reports: String,
    /// Any setting, as `KEY=VALUE`.
    pub set: Vec<String>,
}
