//! What all kinds of addresses resolve to: an immutable version, and its files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use reqwest::header::HeaderMap;
use url::Url;

use crate::digest::Promise;

/// What an address stands for now.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// Names this content for ever, with its server: the key under which it is remembered.
    pub(crate) pin: String,
    /// The same for people, such as `version 3`.
    pub(crate) said: String,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// What a folder has; not all of it is needed.
    Files(Vec<Remote>),
    /// One file that holds the package.
    Archive(Box<Remote>),
}

/// A file that can be fetched.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// Path inside the package, with `/` between folders.
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) bytes: Option<u64>,
    /// All of them must hold.
    pub(crate) promises: Vec<Promise>,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    Web(Request),
    /// A file of this machine.
    File(PathBuf),
}

/// A GET request. The headers go to this server alone, not to others that it names.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

impl Request {
    pub(crate) fn new(url: Url) -> Self {
        Self { url, headers: HeaderMap::new() }
    }
}

/// The regular files of a folder of this machine; links are not followed.
pub(crate) fn local(root: &Path, below: &str, depth: usize, files: &mut Vec<Remote>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = joined(below, &entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_file() {
            let (place, bytes) = (Place::File(root.join(&name)), Some(entry.metadata()?.len()));
            files.push(Remote { name, place, bytes, promises: Vec::new() });
        } else if kind.is_dir() && depth > 0 {
            local(root, &name, depth - 1, files)?;
        }
    }
    Ok(())
}

/// A name below a folder, with one slash between.
pub(crate) fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}").trim_end_matches('/').to_owned() }
}
