//! Reports as others meet them: read by DuckDB and pyarrow, kept in a real S3 server, and written through kills.
//!
//! The S3 server is moto in a process of its own, behind a gate that tests can shut. Readers run in `.tools/python`.

mod gate;
mod kills;
mod readers;
mod s3;
mod sample;
mod server;
mod tls;
