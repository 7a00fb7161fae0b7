//! Why a model package cannot be used. Every variant names the file.

use std::io;
use std::path::PathBuf;

use crate::tokens::TokenError;

/// What to do about it.
pub(super) const LFS_HINT: &str = ": it is a pointer of Git LFS, which `git lfs pull` replaces by the file itself";

#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("open the model package {dir}: it is not a folder")]
    NotAFolder { dir: PathBuf },
    #[error("open the model package {dir}: it has no {expected}{advice}")]
    Missing { dir: PathBuf, expected: String, advice: String },
    #[error("use model.file = {name:?}: it is not a path inside the package")]
    Outside { name: String },
    #[error("read {file}")]
    Read { file: PathBuf, source: io::Error },
    #[error("read {file}: it is not a regular file")]
    NotAFile { file: PathBuf },
    #[error("read {file}: it has {bytes} bytes, at most {bytes_max} are accepted")]
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
    #[error("use {file}: byte {at} does not belong to an ONNX model{hint}")]
    NotOnnx { file: PathBuf, at: usize, hint: &'static str },
    #[error("use {file}{}", LFS_HINT)]
    LfsPointer { file: PathBuf },
    #[error("use {file}: it keeps weights in {name:?} (external data), which is not a path inside the package")]
    ExternalOutside { file: PathBuf, name: String },
    #[error(
        "use {file}: it keeps weights in {name} (external data), which is not in the package: copy it with the model; \
         a downloaded package lists it under `files` of labelstream.json"
    )]
    ExternalMissing { file: PathBuf, name: String },
    #[error("use {file}: it keeps weights in other files (external data) but does not name them")]
    ExternalUnnamed { file: PathBuf },
}
