//! The cache: packages under the digest of their content, and what addresses stood for when they were last asked.
//!
//! ```text
//! packages/<digest>/            the files, and SHA256SUMS; its own SHA-256 is the digest
//! names/<key>.json              what a mutable address stood for, since when, last used when
//! pins/<key>.json               the package of what never changes: a version, a commit, an archive's digest
//! partial/<key>/                downloads under way, or broken off
//! locks/<key>.lock              held while something is fetched
//! ```
//! A folder appears in `packages` by one rename, when all of it is durable and checked. A key is a SHA-256, because
//! addresses hold characters that file names do not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::digest::{sha256, sha256_of};
use crate::error::FetchError;

/// Lines of `sha256sum`, sorted by name.
const SUMS: &str = "SHA256SUMS";

/// The next number of a file under way: two writers of one process, or of two, never share one.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A folder that several processes may share.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// What an address stood for when it was asked last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// As written.
    pub address: String,
    /// For people, such as `version 3`.
    pub resolved: String,
    /// The digest of the package, 64 hexadecimal digits.
    pub package: String,
    /// Seconds since 1970: when its registry said so.
    pub asked: u64,
    /// Seconds since 1970: when something was started with it.
    pub used: u64,
}

/// The package of something that never changes.
#[derive(Debug, Serialize, Deserialize)]
struct Pin {
    key: String,
    package: String,
}

/// A package in the cache.
#[derive(Clone, Debug)]
pub struct CachedPackage {
    pub package: String,
    pub bytes: u64,
    /// The addresses that stand for it.
    pub names: Vec<Remembered>,
}

/// Why a package in the cache is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("it is not there")]
    Missing,
    #[error("{0} has changed")]
    Changed(String),
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, io::Error),
}

impl Cache {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(root: &Path) -> Result<Self, FetchError> {
        let cache = Self { root: root.to_owned() };
        for folder in ["packages", "names", "pins", "partial", "locks"] {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|source| fault("make the folder", &path, source))?;
        }
        Ok(cache)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Packages with what stands for them, in the order of their digests.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn entries(&self) -> Result<Vec<CachedPackage>, FetchError> {
        let names = self.names()?;
        let mut entries = Vec::new();
        for package in self.listed("packages")? {
            let bytes = size(&self.package(&package));
            let names =
                names.iter().filter(|(_, name)| name.package == package).map(|(_, name)| name.clone()).collect();
            entries.push(CachedPackage { package, bytes, names });
        }
        Ok(entries)
    }

    /// Removes addresses that were not used for this long, packages that no address stands for, and interrupted downloads;
    /// the packages that were removed come back. While something is fetched packages stay: one of them may be about to
    /// get its address.
    ///
    /// # Errors
    /// When the folder cannot be read or changed.
    pub fn prune(&self, unused_for: Duration) -> Result<Vec<CachedPackage>, FetchError> {
        let oldest = now().saturating_sub(unused_for.as_secs());
        for (file, name) in self.names()? {
            if name.used <= oldest {
                fs::remove_file(&file).map_err(|source| fault("remove", &file, source))?;
            }
        }
        if self.remove_partial()? {
            return Ok(Vec::new());
        }
        let (kept, removed): (Vec<_>, Vec<_>) = self.entries()?.into_iter().partition(|entry| !entry.names.is_empty());
        for entry in &removed {
            let folder = self.package(&entry.package);
            fs::remove_dir_all(&folder).map_err(|source| fault("remove", &folder, source))?;
        }
        for name in self.listed("pins")? {
            let file = self.root.join("pins").join(name);
            let is_kept = read::<Pin>(&file).is_some_and(|pin| kept.iter().any(|entry| entry.package == pin.package));
            if !is_kept {
                fs::remove_file(&file).map_err(|source| fault("remove", &file, source))?;
            }
        }
        Ok(removed)
    }

    /// Removes downloads that nobody works on; true when there are others.
    fn remove_partial(&self) -> Result<bool, FetchError> {
        let mut is_busy = false;
        for lock in self.listed("locks")? {
            is_busy |= try_lock(&self.root.join("locks").join(lock))?.is_none();
        }
        for key in self.listed("partial")? {
            if let Some(_held) = try_lock(&self.lock_file(&key))? {
                let folder = self.partial(&key);
                fs::remove_dir_all(&folder).map_err(|source| fault("remove", &folder, source))?;
            }
        }
        Ok(is_busy)
    }

    /// What an address stood for when it was asked last.
    pub(crate) fn recall(&self, key: &str) -> Option<Remembered> {
        read(&self.root.join("names").join(json(key)))
    }

    pub(crate) fn remember(&self, key: &str, name: &Remembered) -> Result<(), FetchError> {
        self.write(&self.root.join("names").join(json(key)), name)
    }

    /// The package of something that never changes.
    pub(crate) fn pinned(&self, pin: &str) -> Option<String> {
        read::<Pin>(&self.root.join("pins").join(json(pin))).filter(|found| found.key == pin).map(|found| found.package)
    }

    pub(crate) fn pin(&self, pin: &str, package: &str) -> Result<(), FetchError> {
        let written = Pin { key: pin.to_owned(), package: package.to_owned() };
        self.write(&self.root.join("pins").join(json(pin)), &written)
    }

    /// Reads a package whole and holds it against its digest.
    pub(crate) fn check(&self, package: &str) -> Result<PathBuf, Damage> {
        let folder = self.package(package);
        if !folder.is_dir() {
            return Err(Damage::Missing);
        }
        let unreadable = |name: &str, error| Damage::Unreadable(name.to_owned(), error);
        let sums = fs::read_to_string(folder.join(SUMS)).map_err(|error| unreadable(SUMS, error))?;
        if sha256_of(sums.as_bytes()) != package {
            return Err(Damage::Changed(SUMS.to_owned()));
        }
        for line in sums.lines() {
            let Some((expected, name)) = line.split_once("  ") else { return Err(Damage::Changed(SUMS.to_owned())) };
            let found = sha256(&folder.join(name)).map_err(|error| unreadable(name, error))?;
            if found != expected {
                return Err(Damage::Changed(name.to_owned()));
            }
        }
        Ok(folder)
    }

    /// Where a package is put together.
    pub(crate) fn partial(&self, key: &str) -> PathBuf {
        self.root.join("partial").join(file_key(key))
    }

    pub(crate) fn lock_file(&self, key: &str) -> PathBuf {
        self.root.join("locks").join(format!("{}.lock", file_key(key)))
    }

    /// Moves a folder with exactly these files into the cache; the digest of the package comes back.
    pub(crate) fn install(&self, folder: &Path, names: &[String]) -> Result<String, FetchError> {
        let mut names = names.to_vec();
        names.sort_unstable();
        let mut sums = String::new();
        for name in &names {
            let file = folder.join(name);
            let digest = sha256(&file).map_err(|source| fault("read", &file, source))?;
            sums.push_str(&format!("{digest}  {name}\n"));
        }
        let file = folder.join(SUMS);
        write_durably(&file, sums.as_bytes()).map_err(|source| fault("write", &file, source))?;
        for name in &names {
            let parent = folder.join(name).parent().map_or_else(|| folder.to_owned(), Path::to_owned);
            sync(&parent).map_err(|source| fault("write", &parent, source))?;
        }
        let package = sha256_of(sums.as_bytes());
        let target = self.package(&package);
        if target.exists() {
            if self.check(&package).is_ok() {
                fs::remove_dir_all(folder).map_err(|source| fault("remove", folder, source))?;
                return Ok(package);
            }
            // Out of sight in one step; a process that has read it keeps what it has read.
            let aside = self.root.join("partial").join(format!("{package}.damaged.{}", unique()));
            fs::rename(&target, &aside).map_err(|source| fault("move away", &target, source))?;
            fs::remove_dir_all(&aside).ok(); // prune finds it
        }
        match fs::rename(folder, &target) {
            // Another process was faster, under another address of the same content.
            Err(_) if self.check(&package).is_ok() => {
                fs::remove_dir_all(folder).map_err(|source| fault("remove", folder, source))?;
            }
            moved => moved.map_err(|source| fault("move into place", &target, source))?,
        }
        let above = self.root.join("packages");
        sync(&above).map_err(|source| fault("write", &above, source))?;
        Ok(package)
    }

    fn package(&self, package: &str) -> PathBuf {
        self.root.join("packages").join(package)
    }

    fn names(&self) -> Result<Vec<(PathBuf, Remembered)>, FetchError> {
        let files = self.listed("names")?.into_iter().map(|name| self.root.join("names").join(name));
        Ok(files.filter_map(|file| read(&file).map(|name| (file, name))).collect())
    }

    fn listed(&self, folder: &str) -> Result<Vec<String>, FetchError> {
        let path = self.root.join(folder);
        let wrong = |source| fault("read", &path, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(wrong)? {
            let name = entry.map_err(wrong)?.file_name().into_string().unwrap_or_default();
            names.extend((!name.is_empty() && !name.starts_with('.')).then_some(name));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Replaces a file so that it is there in full, or as it was.
    fn write(&self, file: &Path, content: &impl Serialize) -> Result<(), FetchError> {
        let bytes = serde_json::to_vec(content).expect("texts and numbers are JSON");
        let parent = file.parent().unwrap_or(&self.root);
        let under_way = parent.join(format!(".{}", unique()));
        let written = write_durably(&under_way, &bytes).and_then(|()| fs::rename(&under_way, file));
        if written.is_err() {
            fs::remove_file(&under_way).ok(); // the first error is the one to tell
        }
        written.and_then(|()| sync(parent)).map_err(|source| fault("write", file, source))
    }
}

/// Takes a lock that ends with the file that comes back, or with the process; `None` when another one has it.
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>, FetchError> {
    let mut options = OpenOptions::new();
    let file =
        options.create(true).truncate(false).write(true).open(path).map_err(|source| fault("lock", path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(source)) => Err(fault("lock", path, source)),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A path that stays inside the folder that it is joined to.
pub(crate) fn is_inside(name: &str) -> bool {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    !name.is_empty() && !name.contains(['\\', '\0', '\n']) && Path::new(name).components().all(is_plain)
}

/// A key as a file name. Listed names of `partial` are such keys already.
fn file_key(key: &str) -> String {
    let is_key = key.len() >= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if is_key { key.to_owned() } else { sha256_of(key.as_bytes()) }
}

fn json(key: &str) -> String {
    format!("{}.json", sha256_of(key.as_bytes()))
}

/// A JSON file; what is not there or not readable is not known.
fn read<T: for<'de> Deserialize<'de>>(file: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// A name that no other writer uses: containers that share a folder may share process ids, so the moment is in it.
fn unique() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}-{}-{since:x}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
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

fn fault(action: &'static str, path: &Path, source: io::Error) -> FetchError {
    FetchError::Cache { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache::open(&folder.path().join("a/b")).expect("a new folder");
        (folder, cache)
    }

    fn install(cache: &Cache, key: &str, config: &str) -> String {
        let folder = cache.partial(key);
        fs::create_dir_all(folder.join("onnx")).expect("writable");
        fs::write(folder.join("config.json"), config).expect("writable");
        fs::write(folder.join("onnx/model.onnx"), "weights").expect("writable");
        cache.install(&folder, &["onnx/model.onnx".to_owned(), "config.json".to_owned()]).expect("a whole package")
    }

    fn name(package: &str, used: u64) -> Remembered {
        let (address, resolved) = ("models:/a@champion".to_owned(), "version 1".to_owned());
        Remembered { address, resolved, package: package.to_owned(), asked: used, used }
    }

    #[test]
    fn the_same_content_is_one_package_whatever_its_address() {
        let (_folder, cache) = cache();
        let package = install(&cache, "one", "{}");
        assert_eq!(install(&cache, "two", "{}"), package);
        let folder = cache.check(&package).expect("it is whole");
        // sha256sum SHA256SUMS; sha256sum -c SHA256SUMS
        assert_eq!(sha256(&folder.join(SUMS)).expect("readable"), package);
        assert_eq!(cache.entries().expect("readable").len(), 1);
        assert!(!cache.partial("one").exists() && !cache.partial("two").exists());
    }

    #[test]
    fn damage_is_seen_and_mended_by_installing_again() {
        let (_folder, cache) = cache();
        let package = install(&cache, "one", "{}");
        let file = cache.check(&package).expect("it is whole").join("onnx/model.onnx");
        fs::write(&file, "Weights").expect("writable");
        assert!(matches!(cache.check(&package), Err(Damage::Changed(name)) if name == "onnx/model.onnx"));
        fs::remove_file(&file).expect("writable");
        assert!(matches!(cache.check(&package), Err(Damage::Unreadable(..))));
        assert_eq!(install(&cache, "one", "{}"), package);
        assert!(cache.check(&package).is_ok());
        fs::write(file.parent().and_then(Path::parent).expect("two up").join(SUMS), "").expect("writable");
        assert!(matches!(cache.check(&package), Err(Damage::Changed(_))));
        assert!(matches!(cache.check("0"), Err(Damage::Missing)));
    }

    #[test]
    fn prune_keeps_what_an_address_stands_for_and_what_is_under_way() {
        let (_folder, cache) = cache();
        let (old, new) = (install(&cache, "one", "{}"), install(&cache, "two", "[]"));
        cache.pin("pin one", &old).expect("writable");
        cache.pin("pin two", &new).expect("writable");
        cache.remember("name", &name(&new, now())).expect("writable");
        for key in ["broken off", "under way"] {
            fs::create_dir_all(cache.partial(key)).expect("writable");
        }
        let held = try_lock(&cache.lock_file("under way")).expect("a lock").expect("nobody has it");
        assert!(try_lock(&cache.lock_file("under way")).expect("a lock").is_none());

        assert!(cache.prune(Duration::from_secs(3600)).expect("writable").is_empty(), "one may be about to get a name");
        assert!(!cache.partial("broken off").exists() && cache.partial("under way").exists());
        drop(held);
        let removed = cache.prune(Duration::from_secs(3600)).expect("writable");
        assert_eq!(removed.iter().map(|entry| entry.package.as_str()).collect::<Vec<_>>(), [old.as_str()]);
        assert_eq!((cache.pinned("pin one"), cache.pinned("pin two")), (None, Some(new.clone())));
        assert!(!cache.partial("under way").exists());

        cache.remember("name", &name(&new, now() - 7200)).expect("writable");
        assert_eq!(cache.prune(Duration::from_secs(3600)).expect("writable").len(), 1, "unused for too long");
        assert!(cache.recall("name").is_none() && cache.entries().expect("readable").is_empty());
    }

    #[test]
    fn names_stay_inside_a_folder() {
        for (name, expected) in
            [("onnx/model.onnx", true), ("../x", false), ("/x", false), ("", false), ("a\\b", false)]
        {
            assert_eq!(is_inside(name), expected, "{name}");
        }
    }
}
