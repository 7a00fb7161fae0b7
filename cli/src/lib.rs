//! The `labelstream` command line: wiring only. One file per command; what they run lives in the other crates.

pub mod arguments;
mod bar;
pub mod broker;
mod brokers;
pub mod check;
pub mod classify;
pub mod completions;
pub mod demo;
pub mod drift;
pub mod failure;
pub mod model;
mod model_source;
pub mod output_topics;
pub mod package_path;
pub mod replay;
pub mod score;
pub mod settings;
mod start;
pub mod telemetry;
pub mod worker;
