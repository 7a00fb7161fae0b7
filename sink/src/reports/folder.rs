//! Reports in a folder: a file is written under another name, made durable, and then renamed.
//!
//! Unfinished files begin with a dot, which every reader of a data folder leaves out. One that a killed process left
//! behind is removed by a later write into the same day.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::attempts::Failure;

/// An unfinished upload or file that has not changed for this long belongs to nobody: no write takes a tenth of it.
pub(super) const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

const UNFINISHED: &str = ".unfinished";

/// The next number of an unfinished file: two writers of one process, or of two, never share one.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A folder that exists and can be written to.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folder where it is missing, and shows that files can be made in it.
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(root).map_err(judge)?;
        let folder = Self { root: root.to_owned() };
        let probe = unfinished(&root.join("probe"));
        let written = File::create(&probe).and_then(|file| file.sync_all());
        fs::remove_file(&probe).ok(); // what matters is whether it could be made
        written.map_err(judge)?;
        Ok(folder)
    }

    /// The folder with its full path, for messages.
    pub(super) fn location(&self) -> String {
        std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone()).display().to_string()
    }

    /// The full path of a file, for messages.
    pub(super) fn place(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    /// Writes a file so that it is there in full, and durable, or not at all.
    pub(super) fn put(&self, path: &str, bytes: &Bytes) -> Result<(), Failure> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        self.make(folder).map_err(judge)?;
        remove_leftovers(folder, LEFTOVER_AGE);
        let source = unfinished(&target);
        let written = write_durably(&source, bytes).and_then(|()| fs::rename(&source, &target));
        if written.is_err() {
            fs::remove_file(&source).ok(); // the first error is the one to tell
        }
        written.and_then(|()| sync(folder)).map_err(judge)
    }

    pub(super) fn get(&self, path: &str) -> Result<Bytes, Failure> {
        fs::read(self.root.join(path)).map(Bytes::from).map_err(judge)
    }

    /// The names in a folder, in their order; nothing when there is no such folder.
    pub(super) fn names(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(judge)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.map_err(judge)?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Makes a folder and makes each new one durable in the one above it.
    fn make(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let above = folder.parent().unwrap_or(&self.root);
        self.make(above)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => sync(above),
        }
    }
}

/// A name beside `target` that no reader looks at and no other writer uses.
fn unfinished(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let (own, number) = (process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    // Containers that share a folder may share process ids, so the moment is in the name too.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    target.with_file_name(format!(".{name}.{own}-{number}-{since:x}{UNFINISHED}"))
}

fn write_durably(path: &Path, bytes: &Bytes) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Folders cannot be opened elsewhere; the system keeps names in its own journal.
#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes unfinished files that nobody will finish. What cannot be removed is only in nobody's way.
fn remove_leftovers(folder: &Path, age: Duration) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with('.') && name.ends_with(UNFINISHED)) {
            continue;
        }
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|since| since >= age));
        if is_old && fs::remove_file(entry.path()).is_ok() {
            tracing::info!(file = %entry.path().display(), "removed an unfinished report of a dead process");
        }
    }
}

fn judge(error: io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => return Failure::Missing,
        io::ErrorKind::PermissionDenied => {
            "this user may not write here: change the folder's permissions or reports.url"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only: mount it for writing or change reports.url",
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            "a file has the name of a folder, or a folder that of a file: move it"
        }
        io::ErrorKind::InvalidFilename => "the file system does not accept this name",
        _ => return Failure::Again(Box::new(error)),
    };
    Failure::Refused(advice, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_no_other_is_left() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(&root.path().join("a/b")).expect("a new folder");
        for bytes in [&b"one"[..], b"two"] {
            folder.put("x/y/w.parquet", &Bytes::from_static(bytes)).expect("a writable folder");
            assert_eq!(folder.get("x/y/w.parquet").expect("just written"), bytes);
        }
        assert_eq!(folder.names("x/y").expect("a readable folder"), ["w.parquet"]);
        assert_eq!(folder.names("").expect("a readable folder"), ["x"], "the probe is gone");
        assert!(folder.names("nowhere").expect("an empty answer").is_empty());
        assert!(matches!(folder.get("x/nothing"), Err(Failure::Missing)));
    }

    #[test]
    fn only_old_leftovers_are_removed() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| root.path().join(name);
        let left = unfinished(&path("w.parquet"));
        for file in [&left, &path("w.parquet"), &path(".hidden")] {
            fs::write(file, "x").expect("a writable folder");
        }
        remove_leftovers(root.path(), LEFTOVER_AGE);
        assert!(left.exists(), "it may still be written");
        remove_leftovers(root.path(), Duration::ZERO);
        assert!(!left.exists() && path("w.parquet").exists() && path(".hidden").exists());
    }

    #[test]
    fn a_file_in_the_way_is_refused_with_advice() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::write(root.path().join("x"), "in the way").expect("a writable folder");
        let folder = Folder::open(root.path()).expect("a folder");
        let refused = folder.put("x/y/w.parquet", &Bytes::from_static(b"1"));
        assert!(matches!(refused, Err(Failure::Refused(..))), "{refused:?}");
    }
}
