//! What the commands run, assembled from settings: both workers, the check, the replay of dead letters, readings of the past,
//! and the labelling of files.
//!
//! `settings` joins the sections of all crates and checks relations between them. Its `Config` gives the folder of the
//! model package, the output topics, and what each command runs. What the two workers do is in the crates `classifier` and
//! `drift`; flags and what is printed are in `cli`.

pub mod backlog;
pub mod brokers;
pub mod check;
pub mod classify;
pub mod drift;
pub mod error;
pub mod metrics;
pub mod model_source;
pub mod output_topics;
pub mod package_path;
pub mod past;
pub mod replay;
pub mod score;
pub mod settings;
