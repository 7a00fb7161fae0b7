//! Measurements that share code: those of the drift worker. The figures of the stream are a binary of their own.

pub mod drift;
