//! A worker in hard times, as those who operate it see it: the binary, its log, its exit code and its HTTP server.

mod connections;
mod drained;
mod hang;
mod poison;
mod ports;
mod scaler;
mod signals;
#[path = "../packages/tiny.rs"]
mod tiny;
mod worker;
