//! A package in one file: `.tar.gz` or `.zip`, unpacked as untrusted input.
//!
//! Only regular files and folders come out, inside the folder that they are meant for, each once, within bounds of
//! count and size that hold while unpacking. Names that are written in extensions of tar (longer than 100 characters)
//! are refused; no package needs them.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

/// What unpacking may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: u64,
    pub(crate) files_max: usize,
}

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("{name:?} in it {what}")]
    Unsafe { name: String, what: &'static str },
    #[error("it holds more than {0} files (packages.files_max)")]
    TooMany(usize),
    #[error("it holds more than {0} bytes (packages.bytes_max)")]
    TooLarge(u64),
    #[error("it cannot be read: {0}")]
    Damaged(#[from] io::Error),
    #[error("it cannot be read: {0}")]
    Zip(#[from] zip::result::ZipError),
}

/// Unpacks `archive`, whose kind its name tells, into a new folder.
pub(crate) fn unpack(archive: &Path, name: &str, folder: &Path, bounds: Bounds) -> Result<(), ArchiveError> {
    fs::create_dir_all(folder)?;
    let file = BufReader::new(File::open(archive)?);
    let mut out = Out { folder, bounds, bytes: 0, entries: 0, names: BTreeSet::new() };
    if name.ends_with(".zip") { unzip(file, &mut out) } else { untar(file, &mut out) }
}

/// The folder in which the package lies: the unpacked one, or the only one in it.
pub(crate) fn root(folder: &Path) -> io::Result<PathBuf> {
    let entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    match entries.as_slice() {
        [only] if only.path().is_dir() && only.file_name() != "onnx" => Ok(only.path()),
        _ => Ok(folder.to_owned()),
    }
}

/// The folder that is filled, and what it has cost so far.
struct Out<'a> {
    folder: &'a Path,
    bounds: Bounds,
    bytes: u64,
    entries: usize,
    names: BTreeSet<PathBuf>,
}

impl Out<'_> {
    /// One more thing in the archive, of whatever kind; its path, when that stays inside.
    fn path(&mut self, name: &str) -> Result<PathBuf, ArchiveError> {
        self.entries += 1;
        if self.entries > self.bounds.files_max {
            return Err(ArchiveError::TooMany(self.bounds.files_max));
        }
        let refused = |what| Err(ArchiveError::Unsafe { name: name.to_owned(), what });
        let path: PathBuf = Path::new(name).components().filter(|part| *part != Component::CurDir).collect();
        if name.contains(['\\', '\0']) || !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return refused("points outside the package");
        }
        Ok(path)
    }

    fn write(&mut self, path: PathBuf, content: &mut impl Read) -> Result<(), ArchiveError> {
        let refused = |what| Err(ArchiveError::Unsafe { name: path.display().to_string(), what });
        if !self.names.insert(path.clone()) {
            return refused("is there twice");
        }
        let target = self.folder.join(&path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        // New files only: nothing that was unpacked before can be followed or replaced.
        let mut file = OpenOptions::new().write(true).create_new(true).open(target)?;
        let left = self.bounds.bytes_max - self.bytes;
        self.bytes += io::copy(&mut content.take(left.saturating_add(1)), &mut file)?;
        if self.bytes > self.bounds.bytes_max {
            return Err(ArchiveError::TooLarge(self.bounds.bytes_max));
        }
        Ok(())
    }
}

fn untar(file: impl Read, out: &mut Out<'_>) -> Result<(), ArchiveError> {
    // The bytes of the archive itself are bounded too: headers and what is skipped cost as much as files. A header of
    // 512 bytes and as much padding for each entry is all that it may have beyond its files.
    let overhead = (out.bounds.files_max as u64 + 2).saturating_mul(2048);
    let bytes_max = out.bounds.bytes_max.saturating_add(overhead);
    let mut archive = tar::Archive::new(MultiGzDecoder::new(file).take(bytes_max));
    // Raw: extensions would be read into memory, whatever size they claim.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = out.path(&name)?;
        let refused = |what| Err(ArchiveError::Unsafe { name, what });
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => out.write(path, &mut entry)?,
            EntryType::Directory => {}
            // Times and owners, mostly; a name or size in them is not taken, so the file has its short name.
            EntryType::XHeader | EntryType::XGlobalHeader => {}
            EntryType::GNULongName => return refused("is the name of a file with more than 100 characters"),
            EntryType::Link | EntryType::Symlink | EntryType::GNULongLink => return refused("is a link"),
            _ => return refused("is not a regular file"),
        }
    }
    Ok(())
}

fn unzip(file: BufReader<File>, out: &mut Out<'_>) -> Result<(), ArchiveError> {
    let mut archive = zip::ZipArchive::new(file)?;
    if archive.len() > out.bounds.files_max {
        return Err(ArchiveError::TooMany(out.bounds.files_max));
    }
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number)?;
        let path = out.path(entry.name())?;
        if entry.is_symlink() {
            return Err(ArchiveError::Unsafe { name: entry.name().to_owned(), what: "is a link" });
        }
        if !entry.is_dir() {
            out.write(path, &mut entry)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;
    use zip::write::SimpleFileOptions;

    use super::*;

    const BOUNDS: Bounds = Bounds { bytes_max: 10_000, files_max: 8 };

    /// An entry of a tar file with a name that the library would not write.
    fn tar_entry(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if kind == EntryType::Symlink {
            header.set_link_name("/etc/passwd").expect("a short name");
        }
        header.set_cksum();
        let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
        [header.as_bytes().as_slice(), content, &padding].concat()
    }

    fn untarred(entries: &[Vec<u8>]) -> (TempDir, Result<(), ArchiveError>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&[entries.concat(), vec![0; 1024]].concat()).expect("memory");
        let file = folder.path().join("archive");
        fs::write(&file, gzip.finish().expect("memory")).expect("writable");
        let result = unpack(&file, "a.tar.gz", &folder.path().join("out"), BOUNDS);
        (folder, result)
    }

    fn check_tar(entries: &[Vec<u8>], expected: &str) {
        let (folder, result) = untarred(entries);
        let error = result.expect_err(expected).to_string();
        assert!(error.contains(expected), "expected {expected}, found {error}");
        assert!(!folder.path().join("escaped").exists(), "{expected}");
    }

    fn check_zip(write: impl FnOnce(&mut zip::ZipWriter<io::Cursor<Vec<u8>>>), expected: &str) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        write(&mut zip);
        let mut bytes = zip.finish().expect("memory");
        bytes.rewind().expect("memory");
        let file = folder.path().join("archive");
        fs::write(&file, bytes.into_inner()).expect("writable");
        let result = unpack(&file, "a.zip", &folder.path().join("out"), BOUNDS);
        match result {
            Ok(()) => assert_eq!(expected, "", "it was unpacked"),
            Err(error) => assert!(error.to_string().contains(expected) && !expected.is_empty(), "{error}"),
        }
        assert!(!folder.path().join("escaped").exists(), "{expected}");
    }

    fn add(zip: &mut zip::ZipWriter<io::Cursor<Vec<u8>>>, name: &str, content: &[u8]) {
        zip.start_file(name, SimpleFileOptions::default()).expect("memory");
        zip.write_all(content).expect("memory");
    }

    #[test]
    fn files_come_out_and_the_only_folder_is_the_package() {
        let entries = [
            tar_entry("pax_global_header", EntryType::XGlobalHeader, b"19 comment=abcdefg\n"),
            tar_entry("model/", EntryType::Directory, b""),
            tar_entry("./model/config.json", EntryType::Regular, b"{}"),
            tar_entry("model/onnx/model.onnx", EntryType::Regular, b"weights"),
        ];
        let (folder, result) = untarred(&entries);
        result.expect("a good archive");
        let root = root(&folder.path().join("out")).expect("a folder");
        assert!(root.ends_with("model"));
        assert_eq!(fs::read(root.join("onnx/model.onnx")).expect("unpacked"), b"weights");
        check_zip(|zip| add(zip, "config.json", b"{}"), "");
    }

    #[test]
    fn what_leads_out_or_is_no_file_is_refused() {
        let file = |name: &str| tar_entry(name, EntryType::Regular, b"x");
        check_tar(&[file("../escaped")], "points outside the package");
        check_tar(&[file("a/../../escaped")], "points outside the package");
        check_tar(&[file("/etc/escaped")], "points outside the package");
        check_tar(&[file("..\\escaped")], "points outside the package");
        check_tar(&[tar_entry("model.onnx", EntryType::Symlink, b"")], "is a link");
        check_tar(&[tar_entry("model.onnx", EntryType::Link, b"")], "is a link");
        check_tar(&[tar_entry("model.onnx", EntryType::Fifo, b"")], "is not a regular file");
        check_tar(&[tar_entry("././@LongLink", EntryType::GNULongName, b"name")], "more than 100 characters");
        check_tar(&[file("a"), file("a")], "is there twice");
        check_zip(|zip| add(zip, "../escaped", b"x"), "points outside the package");
        check_zip(|zip| add(zip, "/escaped", b"x"), "points outside the package");
        let link = |zip: &mut zip::ZipWriter<_>| {
            zip.add_symlink("model.onnx", "/etc/passwd", SimpleFileOptions::default()).expect("memory");
        };
        check_zip(link, "is a link");
    }

    #[test]
    fn bombs_are_refused_while_they_are_unpacked() {
        let bomb = vec![0; 100_000];
        check_tar(&[tar_entry("model.onnx", EntryType::Regular, &bomb)], "more than 10000 bytes");
        check_tar(&[tar_entry("a", EntryType::XHeader, &bomb)], "it cannot be read");
        let many: Vec<_> = (0..9).map(|number| tar_entry(&number.to_string(), EntryType::Regular, b"x")).collect();
        check_tar(&many, "more than 8 files");
        check_zip(|zip| add(zip, "model.onnx", &bomb), "more than 10000 bytes");
        check_zip(|zip| (0..9).for_each(|number| add(zip, &number.to_string(), b"x")), "more than 8 files");
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("archive");
        fs::write(&file, "<html>not found</html>").expect("writable");
        for name in ["a.tar.gz", "a.zip"] {
            let error = unpack(&file, name, &folder.path().join("out"), BOUNDS).expect_err("no archive").to_string();
            assert!(error.contains("it cannot be read"), "{error}");
        }
        let cut = tar_entry("a", EntryType::Regular, &[7; 5000])[..600].to_vec();
        check_tar(&[cut], "it cannot be read");
    }
}
