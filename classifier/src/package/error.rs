//! Why a model package cannot be used. Every variant names the file.

use std::io;
use std::path::PathBuf;

use crate::tokens::TokenError;

#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("open the model package {dir}: it is not a folder")]
    NotAFolder { dir: PathBuf },
    #[error("open the model package {dir}: it has no {expected}")]
    Missing { dir: PathBuf, expected: &'static str },
    #[error("read {file}")]
    Read { file: PathBuf, source: io::Error },
    #[error("read {file}: it is not a regular file")]
    NotAFile { file: PathBuf },
    #[error("read {file}: it has {bytes} bytes, at most {bytes_max} are taken")]
    TooLarge { file: PathBuf, bytes: u64, bytes_max: u64 },
    /// The source says line and column.
    #[error("read {file} as JSON")]
    Json { file: PathBuf, source: serde_json::Error },
    #[error("use {file}: {field} {problem}")]
    Field { file: PathBuf, field: String, problem: String },
    #[error("use {file}: its SHA-256 is {found}, labelstream.json says {expected}")]
    Digest { file: PathBuf, expected: String, found: String },
    #[error("use {file}: it has {found} bytes, labelstream.json says {expected}")]
    Size { file: PathBuf, expected: u64, found: u64 },
    #[error("use {file}")]
    Tokenizer { file: PathBuf, source: TokenError },
    #[error("use {file}: byte {at} does not belong to an ONNX model")]
    NotOnnx { file: PathBuf, at: usize },
    #[error(
        "use {file}: it keeps weights in other files (external data), which are not taken: save the model as one file"
    )]
    ExternalData { file: PathBuf },
}
