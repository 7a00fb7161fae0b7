//! `s3://`, from moto in a process of its own; credentials and the endpoint come from the environment alone.

use std::process::Command;
use std::time::Duration;

use tests::process::{Process, labelstream};
use tests::s3::S3Server;
use tests::workspace;

use crate::{Fetching, manifest, tiny_files};

fn put(s3: &S3Server, path: &str, content: &[u8]) {
    let (status, answer) = s3.ask("PUT", path, content);
    assert_eq!(status, 200, "{answer}");
}

fn pull(s3: &S3Server, fetching: &Fetching, address: &str) -> (Option<i32>, Process) {
    let mut command = Command::new(labelstream());
    command.args(["model", "pull", address, "--model-cache"]).arg(fetching.cache());
    command.args(["--set", "packages.retry_wait_ms=10", "--set", "packages.attempts_max=2"]);
    command.env("AWS_ACCESS_KEY_ID", "tests").env("AWS_SECRET_ACCESS_KEY", "hunter2");
    command.env("AWS_ENDPOINT_URL", format!("http://{}", s3.address));
    let mut process = Process::start(command.current_dir(std::env::temp_dir()));
    let code = process.await_exit(Duration::from_secs(120)).code();
    let log = process.stderr();
    assert!(!log.contains("hunter2") && !log.contains("Signature"), "{log}");
    (code, process)
}

#[test]
fn a_prefix_of_a_bucket_is_a_package() {
    if !S3Server::is_installed() {
        return workspace::skip_without_tool("a_prefix_of_a_bucket_is_a_package", "python");
    }
    let (mut s3, fetching) = (S3Server::start("models"), Fetching::new());
    let mut files = tiny_files("first");
    files.push(manifest(&files));
    for (name, content) in &files {
        put(&s3, &format!("/models/intents/v1/{name}"), content);
    }
    let (code, process) = pull(&s3, &fetching, "s3://models/intents/v1");
    assert_eq!(code, Some(0), "{}", process.stderr());
    process.assert_quiet_log(&[]);
    let first = process.stdout();
    assert_eq!(pull(&s3, &fetching, "s3://models/intents/v1").1.stdout(), first);

    // Other content under the same prefix is another package.
    let mut files = tiny_files("second");
    files.push(manifest(&files));
    for (name, content) in &files {
        put(&s3, &format!("/models/intents/v1/{name}"), content);
    }
    let (code, process) = pull(&s3, &fetching, "s3://models/intents/v1");
    assert_eq!(code, Some(0), "{}", process.stderr());
    let second = process.stdout();
    assert_ne!(second, first);

    // A file that its labelstream.json does not know like this.
    put(&s3, "/models/intents/v1/config.json", &tiny_files("third")[0].1);
    let (code, process) = pull(&s3, &fetching, "s3://models/intents/v1");
    let log = process.stderr();
    assert!(code == Some(78) && log.contains("config.json is not what labelstream.json promises"), "{code:?}: {log}");
    let (code, process) = pull(&s3, &fetching, "s3://models/absent");
    let log = process.stderr();
    assert!(code == Some(78) && log.contains("has nothing below \"absent\""), "{code:?}: {log}");

    // Nobody there: what was there last, and nothing that was never asked for.
    s3.process.kill();
    let (code, process) = pull(&s3, &fetching, "s3://models/intents/v1");
    assert_eq!((code, process.stdout()), (Some(0), second), "{}", process.stderr());
    assert!(process.stderr().contains("WARN") && process.stderr().contains("the registry cannot be reached"));
    let (code, process) = pull(&s3, &fetching, "s3://models/intents/v2");
    assert_eq!(code, Some(1), "it may work later: {}", process.stderr());
}
