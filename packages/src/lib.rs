//! Model packages by their address: a folder, MLflow, the Hugging Face hub, S3 or a file on the web, kept in a cache.
//!
//! A package that came from elsewhere lies in the cache under the digest of its content, so it is fetched once, checked
//! at every start, and there when its registry is not. Nothing that is not whole and checked is ever seen there. What is
//! in a package, and whether a model can use it, is not known here: only its file names and their digests.

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
