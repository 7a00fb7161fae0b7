//! What every long-running command needs, whatever it does: its settings, its signals, its log and metrics, its answers
//! over HTTP, and a bounded way to try again.
//!
//! | module | what it is |
//! |---|---|
//! | [`settings`] | one loader: defaults, file, environment, flags; every problem at once, with its place |
//! | [`shutdown`] | SIGINT and SIGTERM: the first asks, the second ends; and the bound of a shutdown |
//! | [`telemetry`] | the log on stderr, and the recorder behind `/metrics` |
//! | [`http`] | `/health`, `/ready`, `/metrics` |
//! | [`stages`] | what each stage does at this moment, and the watchdog that says which one hangs |
//! | [`supervision`] | how often and how soon to rewind and run again |

pub mod http;
pub mod settings;
pub mod shutdown;
pub mod stages;
pub mod supervision;
pub mod telemetry;
