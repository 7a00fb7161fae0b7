//! The drift worker: labelled events in, windowed statistical tests out.
//!
//! | word | meaning |
//! |---|---|
//! | observation | what one labelled event says: time, label, scores, signals, words |
//! | refusal | why a record is not a usable labelled event; it is counted by reason and otherwise ignored |
//! | feature | one thing that is counted and tested, such as `score`, `label` or `words` |
//! | counts | integers per feature; they merge by addition, in any order, to the same bits |
//! | slice | the events with the same value of a header or field, or all events |
//! | window | a span of event time of one granularity, aligned to multiples of its length since 1970 UTC |
//! | watermark | per partition: no earlier event is expected any more |
//! | partial | the counts of one window from one partition; a window is the sum over all partitions |
//! | reference | the counts that a window is compared with: fixed, previous, rolling or seasonal |
//! | profile | a fixed reference in a file: counts, no raw text |
//! | finding | one test of one feature, with its verdict and a sentence that explains it |
//! | report | all findings of one window at one revision, as rows of Parquet files |
//!
//! Data flows one way: observation -> partial -> window -> report. Time is an argument, except in `pipeline`.

pub mod board;
pub mod budget;
pub mod calibrate;
pub mod compare;
pub mod counts;
pub mod feature;
pub mod labels;
pub mod metrics;
pub mod observation;
pub mod partition;
pub(crate) mod performance;
pub mod pipeline;
pub mod profile;
pub mod reference;
pub mod replay;
pub mod settings;
pub mod slice;
pub mod state;
pub mod text;
pub mod verdict;
pub mod window;
