//! The files of a package: found, bounded in size, read once and hashed from the bytes that are used.
//!
//! Links are followed, because the Hugging Face cache is made of them; what they lead to must be a regular file. Nothing
//! is opened again after it was hashed, so a file that changes meanwhile cannot slip past its digest.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use schemas::package_files::PackageFiles;
use sha2::{Digest, Sha256};

use super::error::PackageError;

/// Largest `model.onnx`, bytes: what a protobuf message can be.
pub(super) const MODEL_BYTES_MAX: u64 = 2 << 30;
/// Largest file of external data, bytes: all of it is read into memory.
pub(super) const EXTERNAL_BYTES_MAX: u64 = 16 << 30;
/// Largest `tokenizer.json`, bytes. The largest multilingual ones are about 30 MB.
pub(super) const TOKENIZER_BYTES_MAX: u64 = 128 << 20;
/// Largest drift reference, bytes: what the drift worker reads as a profile.
pub(super) const REFERENCE_BYTES_MAX: u64 = 64 << 20;
/// Largest `config.json` or `labelstream.json`, bytes; 16 MB hold a hundred thousand labels.
pub(super) const JSON_BYTES_MAX: u64 = 16 << 20;

/// The folder that Optimum exports models into.
const MODEL_FOLDER: &str = "onnx";
/// How a file begins that stands for one of Git LFS which was not downloaded.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// A file that was read, and what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Path inside the package, with `/` between folders.
    pub name: String,
    pub bytes: u64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

/// Which files of a folder are the package; `chosen` is the model that a person named.
pub(super) fn of_package(dir: &Path, chosen: Option<&str>) -> Result<PackageFiles, PackageError> {
    if !dir.is_dir() {
        return Err(PackageError::NotAFolder { dir: dir.to_owned() });
    }
    if let Some(chosen) = chosen.filter(|chosen| !is_inside(chosen)) {
        return Err(PackageError::Outside { name: chosen.to_owned() });
    }
    let read = |source| PackageError::Read { file: dir.to_owned(), source };
    let mut names = names(dir, "").map_err(read)?;
    if dir.join(MODEL_FOLDER).is_dir() {
        names.extend(self::names(&dir.join(MODEL_FOLDER), "onnx/").map_err(read)?);
    }
    // Another folder than `onnx` is looked into only for a model that is named.
    names.extend(chosen.filter(|chosen| dir.join(chosen).is_file()).map(str::to_owned));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    PackageFiles::find(&names, chosen, &dir.display().to_string()).map_err(|lack| PackageError::Missing {
        dir: dir.to_owned(),
        expected: lack.expected,
        advice: advice(lack.advice),
    })
}

fn advice(advice: Option<String>) -> String {
    advice.map(|advice| format!(": {advice}")).unwrap_or_default()
}

/// The files of a folder in the order of their names; a link counts as what it leads to.
fn names(dir: &Path, before: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().exists() && !entry.path().is_dir() {
            names.push(format!("{before}{}", entry.file_name().to_string_lossy()));
        }
    }
    names.sort();
    Ok(names)
}

/// True for the few lines that stand for a file of Git LFS.
pub(super) fn is_lfs_pointer(content: &[u8]) -> bool {
    content.starts_with(LFS_POINTER)
}

/// Reads a file of the package whole.
pub(super) fn read(dir: &Path, name: &str, bytes_max: u64) -> Result<(Vec<u8>, FileFacts), PackageError> {
    let path = dir.join(name);
    let io = |source| PackageError::Read { file: path.clone(), source };
    let found = fs::metadata(&path).map_err(io)?;
    if !found.is_file() {
        return Err(PackageError::NotAFile { file: path });
    }
    if found.len() > bytes_max {
        return Err(PackageError::TooLarge { file: path, bytes: found.len(), bytes_max });
    }
    let mut content = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
    // One byte more than allowed tells a file that grew meanwhile.
    File::open(&path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut content)).map_err(io)?;
    let facts = facts(name, &content);
    if facts.bytes > bytes_max {
        return Err(PackageError::TooLarge { file: path, bytes: facts.bytes, bytes_max });
    }
    if is_lfs_pointer(&content) && !name.ends_with(".onnx") {
        return Err(PackageError::LfsPointer { file: path });
    }
    Ok((content, facts))
}

/// What a file of these bytes is.
pub(super) fn facts(name: &str, content: &[u8]) -> FileFacts {
    FileFacts { name: name.to_owned(), bytes: content.len() as u64, sha256: format!("{:x}", Sha256::digest(content)) }
}

/// A name from `labelstream.json` that stays inside the package.
pub(super) fn is_inside(name: &str) -> bool {
    let path = PathBuf::from(name);
    !name.is_empty() && path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// The digest that names a package: SHA-256 over lines of `sha256sum`, sorted by file name.
///
/// In a shell: `sha256sum config.json labelstream.json model.onnx tokenizer.json | sha256sum`. Where `labelstream.json`
/// names a drift reference, its digest is that of the file without that member, and the reference is left out, too.
pub(super) fn digest(files: &[FileFacts]) -> String {
    let mut sorted: Vec<&FileFacts> = files.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hash = Sha256::new();
    for file in sorted {
        hash.update(format!("{}  {}\n", file.sha256, file.name));
    }
    format!("sha256:{:x}", hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_package() {
        for (name, inside) in [
            ("model.onnx", true),
            ("onnx/model.onnx", true),
            ("", false),
            ("../model.onnx", false),
            ("/etc/passwd", false),
            ("onnx/../../x", false),
        ] {
            assert_eq!(is_inside(name), inside, "{name}");
        }
    }

    #[test]
    fn the_digest_is_that_of_sha256sum_and_ignores_the_order() {
        let file = |name: &str, sha256: &str| FileFacts { name: name.to_owned(), bytes: 1, sha256: sha256.to_owned() };
        let (a, b) = (file("a", "11"), file("b", "22"));
        // printf '11  a\n22  b\n' | sha256sum
        let expected = "sha256:416ccbb108242872963558d2b2800ec8cc6d6c2b62ec0ce35f6a0ae486adbfaa";
        assert_eq!(digest(&[a.clone(), b.clone()]), expected);
        assert_eq!(digest(&[b, a]), expected);
    }

    #[test]
    fn a_pointer_of_git_lfs_says_so() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 466081\n";
        fs::write(dir.path().join("tokenizer.json"), pointer).expect("writable");
        let error = read(dir.path(), "tokenizer.json", 999).expect_err("it is not the file itself").to_string();
        assert!(error.contains("tokenizer.json") && error.contains("git lfs pull"), "{error}");
    }

    #[test]
    fn refuses_folders_and_files_beyond_the_limit() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(dir.path().join("model.onnx")).expect("writable");
        fs::write(dir.path().join("config.json"), "12345").expect("writable");
        assert!(matches!(read(dir.path(), "model.onnx", 9), Err(PackageError::NotAFile { .. })));
        assert!(matches!(read(dir.path(), "config.json", 4), Err(PackageError::TooLarge { bytes: 5, .. })));
        let (content, facts) = read(dir.path(), "config.json", 5).expect("within the limit");
        assert_eq!((content.as_slice(), facts.bytes), (b"12345".as_slice(), 5));
        assert_eq!(facts.sha256, "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5");
    }
}
