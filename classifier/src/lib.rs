//! The pipeline that labels a stream, with its supervisor.

pub mod labeled;
pub mod pipeline;
