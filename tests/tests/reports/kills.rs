//! `kill -9` in the middle of a write: nothing half is seen, and a repeat gives the same bytes.

use std::env;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use schemas::report::WindowReport;
use sink::reports::{ReportStore, ReportsConfig, Selection};
use tempfile::TempDir;
use tests::process::Process;

use crate::sample;
use crate::server::{self, open, with_credentials};

/// Where the child of a test writes to.
const TARGET: &str = "LABELSTREAM_TESTS_REPORTS";

/// How often a writer is killed: each time a millisecond later.
const KILLS: u64 = 8;

#[test]
fn a_writer_killed_between_parts_leaves_nothing_to_see() {
    with_credentials("kills::a_writer_killed_between_parts_leaves_nothing_to_see", |s3| {
        let report = sample::large();
        s3.gate.hold_after(6 * 1024 * 1024); // the first part and a piece of the second
        let mut writer = child("kills::write_to_a_bucket", &s3.gate.address.to_string());
        s3.gate.await_held();
        writer.kill();
        s3.gate.release();
        assert!(s3.keys().iter().all(|key| !key.contains("words")), "{:?}", s3.keys());
        assert_eq!(s3.unfinished().len(), 1, "an upload had begun");

        let store = open(s3.settings());
        store.write(&report).expect("the server runs");
        assert_eq!(store.read(&sample::name(&report)).expect("just written"), report);
        let key = s3.keys().into_iter().find(|key| key.contains("words")).expect("it is there now");
        let (_, first) = s3.ask("GET", &format!("/{}/{key}", server::BUCKET));
        store.write(&report).expect("the server runs");
        let (_, second) = s3.ask("GET", &format!("/{}/{key}", server::BUCKET));
        assert!(first == second, "a repeat gives the same bytes");

        // moto says about every upload that it began in 2010: to the first write it is an old one.
        assert!(s3.unfinished().is_empty(), "the parts of the killed writer are given back");
        assert_eq!(store.remove_leftovers(Duration::ZERO).expect("the server answers"), 0);
    });
}

#[test]
fn a_writer_killed_in_a_folder_leaves_nothing_to_see() {
    let expected = written(&sample::large());
    for kill in 0..KILLS {
        let folder = TempDir::new().expect("a temporary folder");
        let mut writer = child("kills::write_to_a_folder", &folder.path().display().to_string());
        await_a_write(folder.path(), &expected);
        thread::sleep(Duration::from_millis(kill));
        writer.kill();
        for file in visible(folder.path()) {
            let own = file.strip_prefix(folder.path()).expect("below it");
            let whole =
                expected.iter().any(|(path, bytes)| path == own && fs::read(&file).is_ok_and(|read| read == *bytes));
            assert!(whole, "{} is not whole", file.display());
        }
        let store = ReportStore::open(&ReportsConfig::of_folder(folder.path())).expect("a writable folder");
        store.write(&sample::large()).expect("a writable folder");
        assert_eq!(visible(folder.path()).len(), expected.len());
        assert_eq!(store.windows(&Selection::default()).expect("a readable folder").len(), 1);
    }
}

#[test]
fn two_processes_write_the_same_bytes() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut writer = child("kills::write_to_a_folder_once", &folder.path().display().to_string());
    writer.await_success(Duration::from_secs(120));
    let expected = written(&sample::large());
    assert_eq!(expected.len(), 4);
    for (path, bytes) in expected {
        assert!(fs::read(folder.path().join(&path)).is_ok_and(|read| read == bytes), "{}", path.display());
    }
}

/// Waits until the largest file is being written: some of it is there, under whatever name.
fn await_a_write(folder: &Path, expected: &[(PathBuf, Vec<u8>)]) {
    let (path, bytes) = expected.iter().max_by_key(|(_, bytes)| bytes.len()).expect("a report has files");
    let day = folder.join(path.parent().expect("a file lies in a folder"));
    let deadline = Instant::now() + Duration::from_secs(60);
    let begun = |entry: DirEntry| entry.metadata().is_ok_and(|metadata| metadata.len() < bytes.len() as u64);
    while !fs::read_dir(&day).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(begun))) {
        assert!(Instant::now() < deadline, "nothing is written to {}", day.display());
        thread::sleep(Duration::from_micros(200));
    }
}

/// A process of its own that runs one of the tests below, by this binary.
fn child(test: &str, target: &str) -> Process {
    let mut command: Command = server::own(test);
    Process::start(command.env(TARGET, target))
}

fn target() -> String {
    env::var(TARGET).expect("another test runs this one as a process of its own")
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn write_to_a_bucket() {
    open(server::settings(&target())).write(&sample::large()).expect("nobody kills it");
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn write_to_a_folder() {
    let store = ReportStore::open(&ReportsConfig::of_folder(target())).expect("a writable folder");
    let report = sample::large();
    for _ in 0..1000 {
        store.write(&report).expect("a writable folder");
    }
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn write_to_a_folder_once() {
    let store = ReportStore::open(&ReportsConfig::of_folder(target())).expect("a writable folder");
    store.write(&sample::large()).expect("a writable folder");
}

/// The files of a report as this process writes them: paths below the folder, and bytes.
fn written(report: &WindowReport) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = TempDir::new().expect("a temporary folder");
    let store = ReportStore::open(&ReportsConfig::of_folder(folder.path())).expect("a writable folder");
    store.write(report).expect("a writable folder");
    let own = |file: PathBuf| {
        let bytes = fs::read(&file).expect("just written");
        (file.strip_prefix(folder.path()).expect("below it").to_owned(), bytes)
    };
    visible(folder.path()).into_iter().map(own).collect()
}

/// The files that readers of a data folder look at: those whose names begin with no dot.
fn visible(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(visible(&path));
        } else if !entry.file_name().to_string_lossy().starts_with('.') {
            files.push(path);
        }
    }
    files.sort();
    files
}
