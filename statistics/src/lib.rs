//! Two-sample tests on counts: numbers in, numbers out. Nothing here knows of Kafka, labels or windows.
//!
//! Every test takes counts over the same bins for a reference and a current sample, because counts merge exactly.
//! Reference values are scipy's (see `tests/golden.rs`).
