//! The harness of the cross-crate tests: brokers, records, names and the `labelstream` binary.
//!
//! A test asks for [`broker::all`], makes topics with names of its own ([`names::unique`]), writes and reads them with
//! [`records`], and runs the binary with [`process`]. Everything that it starts ends with it, however it ends.
//! Helpers panic with a sentence: in a test, that is the report.

pub mod admin;
pub mod broker;
pub mod circles;
pub mod connection;
pub mod dataset;
pub mod folder;
pub mod kafka;
pub mod labeled;
pub mod names;
pub mod process;
pub mod records;
pub mod rights;
pub mod s3;
pub mod transactions;
pub mod workspace;
