//! The binary, killed in the middle of a download: nothing half is ever a package, and the next one goes on.

use std::process::Command;
use std::time::Duration;

use tests::process::{Process, labelstream};

use crate::server::{Route, Server, sha256};
use crate::{Fetching, files, tiny_files};

const COMMIT: &str = "3333333333333333333333333333333333333333";

fn pull(server: &Server, fetching: &Fetching) -> Process {
    let mut command = Command::new(labelstream());
    command.args(["model", "pull", "hf://acme/intents", "--model-cache"]).arg(fetching.cache());
    command.args(["--set", "packages.retry_wait_ms=10"]).current_dir(std::env::temp_dir());
    Process::start(command.env("HF_ENDPOINT", server.url("")).env_remove("HF_TOKEN"))
}

#[test]
fn a_killed_download_leaves_nothing_half_and_is_gone_on_with() {
    let (server, fetching) = (Server::start(), Fetching::new());
    let mut package = tiny_files("first");
    let tokenizer = package.iter_mut().find(|(name, _)| name == "tokenizer.json").expect("a tokenizer");
    tokenizer.1.extend(vec![b' '; 1_000_000]);
    let size = tokenizer.1.len() as u64;
    server.hub("acme/intents", COMMIT, &package);
    let path = format!("/acme/intents/resolve/{COMMIT}/tokenizer.json");
    server.change(&path, |route| route.holds = true);

    let mut killed = pull(&server, &fetching);
    server.await_asked(&path);
    let half = |file: &std::path::PathBuf| {
        file.ends_with("tokenizer.json") && file.metadata().is_ok_and(|found| found.len() >= size / 2)
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !files(&fetching.cache().join("partial")).iter().any(half) {
        assert!(std::time::Instant::now() < deadline, "half of the file arrives\n{}", killed.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill();
    assert!(fetching.packages().is_empty(), "nothing half can be seen");

    server.change(&path, |route| route.holds = false);
    server.asked();
    let mut next = pull(&server, &fetching);
    next.await_success(Duration::from_secs(60));
    next.assert_quiet_log(&[]);
    assert_eq!(fetching.packages().len(), 1);
    assert!(next.stdout().trim().starts_with(&fetching.cache().join("packages").display().to_string()));
    let ranges: Vec<_> = server.asked().into_iter().filter(|line| line.starts_with(&path)).collect();
    assert_eq!(ranges, [format!("{path} bytes={}-", size / 2)], "the first half is not fetched again");
    assert!(files(&fetching.cache().join("partial")).is_empty(), "nothing is left over");
}

#[test]
fn the_cache_is_listed_and_pruned() {
    let (server, fetching) = (Server::start(), Fetching::new());
    server.hub("acme/intents", COMMIT, &tiny_files("first"));
    pull(&server, &fetching).await_success(Duration::from_secs(60));
    server.hub("acme/intents", &COMMIT.replace('3', "4"), &tiny_files("second"));
    pull(&server, &fetching).await_success(Duration::from_secs(60));
    server.set("/unused", Route::default());

    let run = |arguments: &[&str]| {
        let cache = fetching.cache().display().to_string();
        let mut process = Process::labelstream(&[&["model"], arguments, &["--model-cache", &cache]].concat());
        process.await_success(Duration::from_secs(60));
        process.stdout()
    };
    let listed = run(&["list"]);
    assert!(listed.contains("  hf://acme/intents@main -> commit 4444"), "{listed}");
    assert!(listed.contains("no address points to it") && listed.contains("2 packages, 0.1 MB in "), "{listed}");
    assert!(run(&["prune"]).starts_with("removed 1 package, "));
    let listed = run(&["list"]);
    assert!(listed.contains("asked today, used today") && listed.contains("1 package, "), "{listed}");
    assert!(run(&["prune", "--unused-days", "0"]).starts_with("removed 1 package, "));
    assert!(fetching.packages().is_empty());
}

#[test]
fn a_wrong_address_is_a_problem_of_the_settings() {
    let digest = sha256(b"x");
    for (address, expected) in [
        ("models:/intents", "model.package (--model): expected a folder, models:/NAME@ALIAS"),
        ("models:intents@champion", "did you mean models:/intents@champion?"),
        ("https://models.example/a.zip", "expected #sha256= and 64 hexadecimal digits"),
        (&format!("http://models.example/a.zip#sha256={digest}"), "expected https, or packages.allow_http = true"),
    ] {
        let mut process = Process::labelstream(&["classify", "--model", address]);
        let status = process.await_exit(Duration::from_secs(60));
        assert_eq!(status.code(), Some(78), "{}", process.stderr());
        assert!(process.stderr().contains(expected), "expected {expected}, found {}", process.stderr());
    }
}

/// Whoever asks: each is a problem of the settings, with the address that was meant.
#[test]
fn what_is_no_address_and_no_folder_is_refused_with_what_was_meant() {
    let fetching = Fetching::new();
    let cache = fetching.cache().display().to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(labelstream());
        let mut process = Process::start(command.args(arguments).current_dir(folder.path()));
        let code = process.await_exit(Duration::from_secs(60)).code();
        (code, process.stdout(), process.stderr())
    };
    for (address, expected) in [
        ("models:intents@champion", "did you mean models:/intents@champion?"),
        ("model:/intents/3", "did you mean models:/intents/3?"),
        ("mlflow://intents@champion", "did you mean models:/intents@champion?"),
        ("org/name", "did you mean hf://org/name?"),
        ("hf:org/name", "did you mean hf://org/name?"),
        ("hf://name", "did you mean hf://ORG/name?"),
        ("https://huggingface.co/org/name", "did you mean hf://org/name?"),
        ("s3//bucket/p", "did you mean s3://bucket/p?"),
        ("s3//b/p", "did you mean s3://b/p?"),
        ("file:///nosuch", "/nosuch: it is not a folder on this machine"),
        ("gs://bucket/p", "expected a folder, models:/NAME@ALIAS"),
        ("file:///no/such/folder", "/no/such/folder: it is not a folder on this machine"),
        ("no/such/folder", "no/such/folder: it is not a folder on this machine; expected a folder, models:/NAME@ALIAS"),
        ("banking77-minilm", "did you mean models/banking77-minilm?"),
    ] {
        for arguments in [
            &["model", "pull", address, "--model-cache", &cache][..],
            &["model", "check", address, "--model-cache", &cache],
            &["classify", "--model", address, "--model-cache", &cache, "--set", "http.enabled=false"],
        ] {
            let (code, stdout, stderr) = run(arguments);
            assert_eq!((code, stdout.as_str()), (Some(78), ""), "{arguments:?}: {stderr}");
            assert!(stderr.contains(expected), "{arguments:?}: expected {expected}, found {stderr}");
        }
    }
    let model = folder.path().join("model.onnx");
    std::fs::write(&model, "").expect("writable");
    let (code, _, stderr) = run(&["model", "check", &model.display().to_string()]);
    assert!(code == Some(78) && stderr.contains("its model with --set model.file=model.onnx"), "{stderr}");
    // A folder that is there is its own answer.
    let here = folder.path().display().to_string();
    assert_eq!(run(&["model", "pull", &here]).0, Some(0));
}
