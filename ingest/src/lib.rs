//! Input files: histories for `drift calibrate` and `backtest`, and texts for `score`.
//!
//! The crate reads; it does not know who decodes, labels or publishes.

pub mod history;
pub mod texts;
