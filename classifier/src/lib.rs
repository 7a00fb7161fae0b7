//! The pipeline that labels a stream: read, decode, label, publish; and its supervisor.

pub mod labeled;
pub mod pipeline;
