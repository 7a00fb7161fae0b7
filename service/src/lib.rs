//! What every long-running command needs: settings, signals, log and metrics, HTTP, and what to do when something fails.
//!
//! | module | what it does |
//! |---|---|
//! | [`settings`] | loads defaults, file, environment and flags; reports every problem at once, with its place |
//! | [`shutdown`] | SIGINT and SIGTERM: the first asks to stop, the second exits; limits the time of a shutdown |
//! | [`telemetry`] | the log on stderr, and the recorder behind `/metrics` |
//! | [`http`] | `/health`, `/ready`, `/metrics` |
//! | [`stages`] | what each stage is doing, and a watchdog that reports which one hangs |
//! | [`supervision`] | how often and how soon to rewind and run again |
//! | [`backoff`] | how long to wait before trying again |
//! | [`chain`](fn@chain) | an error with its causes, on one line |
//! | [`panics`] | catches panics of libraries on malformed input |

pub mod backoff;
mod chain;
pub mod http;
pub mod panics;
pub mod settings;
pub mod shutdown;
pub mod stages;
pub mod supervision;
pub mod telemetry;

pub use chain::chain;
