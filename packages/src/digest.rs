//! What bytes should be, and what they are.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::digest::Output;
use sha2::{Digest, Sha256};

/// Bytes that are read at once while hashing.
const BLOCK_BYTES: usize = 256 * 1024;

/// A digest that a file must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) algorithm: Algorithm,
    /// Hexadecimal, lower case.
    pub(crate) digest: String,
    /// Who said it, for messages.
    pub(crate) by: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    /// SHA-1 of `blob`, the size, a zero byte and the content: what git calls a file.
    GitBlob,
}

/// A promise that does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) by: &'static str,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Promise {
    pub(crate) fn sha256(digest: &str, by: &'static str) -> Self {
        Self { algorithm: Algorithm::Sha256, digest: digest.to_ascii_lowercase(), by }
    }

    /// A checksum as S3 writes it; nothing for a checksum of checksums, which has a dash.
    pub(crate) fn base64(text: &str, by: &'static str) -> Option<Self> {
        let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
        let digest = format!("{:x}", Output::<Sha256>::from(bytes));
        Some(Self { algorithm: Algorithm::Sha256, digest, by })
    }

    /// What the hub has as the tag of a file: SHA-256 of a large one, the name in git of a small one.
    pub(crate) fn tag(text: &str, by: &'static str) -> Option<Self> {
        let digest = text.trim().trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        let algorithm = match digest.len() {
            64 => Algorithm::Sha256,
            40 => Algorithm::GitBlob,
            _ => return None,
        };
        digest.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(Self { algorithm, digest, by })
    }

    /// Reads a file to see whether it is what was promised; `None` when it is.
    pub(crate) fn broken(&self, file: &Path) -> io::Result<Option<Broken>> {
        let found = match self.algorithm {
            Algorithm::Sha256 => sha256(file)?,
            Algorithm::GitBlob => git_blob(file)?,
        };
        let is_kept = found == self.digest;
        Ok((!is_kept).then(|| Broken { by: self.by, expected: self.digest.clone(), found }))
    }
}

/// SHA-256 of a file, hexadecimal.
pub(crate) fn sha256(file: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    read(file, |block| hash.update(block))?;
    Ok(format!("{:x}", hash.finalize()))
}

/// SHA-256 of bytes, hexadecimal.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn git_blob(file: &Path) -> io::Result<String> {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", file.metadata()?.len()));
    read(file, |block| hash.update(block))?;
    Ok(format!("{:x}", hash.finalize()))
}

fn read(file: &Path, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(file)?;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(()),
            length => take(&block[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn digests_are_those_of_sha256sum_and_of_git() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        fs::write(&file, "hello\n").expect("writable");
        // printf 'hello\n' | sha256sum; printf 'hello\n' | git hash-object --stdin
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        for tag in [format!("\"{sha256}\""), format!("W/\"{}\"", git.to_uppercase())] {
            let promise = Promise::tag(&tag, "a test").expect("a digest");
            assert_eq!(promise.broken(&file).expect("readable"), None, "{tag}");
        }
        let base64 = Promise::base64("WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=", "a test").expect("a checksum");
        assert_eq!(base64, Promise::sha256(sha256, "a test"));
        let broken =
            Promise::sha256(&"0".repeat(64), "a test").broken(&file).expect("readable").expect("another digest");
        assert_eq!((broken.by, broken.found.as_str()), ("a test", sha256));
    }

    #[test]
    fn what_is_no_digest_promises_nothing() {
        for tag in ["\"abc\"", "", "\"d41d8cd98f00b204e9800998ecf8427e-3\"", &"g".repeat(40)] {
            assert_eq!(Promise::tag(tag, "a test"), None, "{tag}");
        }
        assert_eq!(Promise::base64("WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=-2", "a test"), None);
    }
}
