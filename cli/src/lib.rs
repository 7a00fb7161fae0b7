//! The `labelstream` command line: wiring only. One file per command; what they run lives in the other crates.

pub mod arguments;
pub mod broker;
pub mod completions;
pub mod demo;
pub mod failure;
