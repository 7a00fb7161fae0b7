//! The `labelstream` command line: wiring only. One file per command; what they run lives in the other crates.

pub mod arguments;
mod bar;
pub mod broker;
pub mod check;
pub mod classify;
pub mod completions;
pub mod demo;
pub mod drift;
pub mod failure;
pub mod health;
pub mod model;
pub mod replay;
pub mod scaler;
pub mod score;
pub mod settings_arguments;
mod start;
pub mod telemetry;
