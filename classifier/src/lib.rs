//! The pipeline that labels a stream, with its supervisor, and the HTTP server of long-running commands.

pub mod http;
pub mod pipeline;
