//! The drift worker: labelled events in, windowed statistical tests out.
//!
//! | word | meaning |
//! |---|---|
//! | observation | what one labelled event tells: its time, its label and scores, its signals, its words |
//! | refusal | why a record is no usable labelled event: it is counted under its reason and kept out |
//! | feature | one thing that is counted and tested, such as `score`, `label` or `words` |
//! | counts | integers per feature; they merge by adding, in any order, to the same bits |
//! | slice | the events that share a value of a header or field, or all of them |
//! | window | a span of event time of one granularity, begun at a multiple of its length since 1970 UTC |
//! | watermark | per partition: no event before it is still expected |
//! | partial | the counts of one window from one partition; the sum over partitions is the window |
//! | reference | the counts that a window is compared with: fixed, previous, rolling or seasonal |
//! | profile | a fixed reference in a file: counts, no raw text |
//! | finding | one test of one feature, with its verdict and a sentence for a person |
//! | report | all findings of one window at one revision, as rows of Parquet files |
//!
//! Data walks one way: observation -> partial -> window -> report. Time is an argument everywhere but in `pipeline`.

pub mod board;
pub mod budget;
pub mod calibrate;
pub mod compare;
pub mod counts;
pub mod engine;
pub mod feature;
pub mod labels;
pub mod metrics;
pub mod observation;
pub mod partition;
pub(crate) mod performance;
pub mod pipeline;
pub mod profile;
pub mod reference;
pub mod settings;
pub mod slice;
pub mod state;
pub mod text;
pub mod verdict;
pub mod window;
