//! Model packages by address: a folder, MLflow, the Hugging Face hub, S3 or a file on the web, with a cache.
//!
//! The cache stores a package under the digest of its content. So a package is downloaded once, verified at every start,
//! and available while its registry is down. A package that is incomplete or not verified is never visible in the cache.
//! The crate knows file names and digests; it does not know what is in a package, or whether a model can use it.

pub mod address;
mod archive;
mod bucket;
pub mod cache;
mod contents;
mod digest;
mod download;
pub mod error;
pub mod fetch;
mod http;
mod hub;
mod mlflow;
mod remote;
pub mod settings;
mod web;
