//! The `labelstream` binary as a child process: found, started, watched, and never left behind.
//!
//! Its logs go to files, so a test can wait for a line and, at the end, fail on any WARN or ERROR that it did not list.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

/// How often a wait looks again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The binary built beside this test or benchmark, in `target/<profile>`.
///
/// # Panics
/// When it was not built, or is older than one of its sources: the test would speak of other code.
#[must_use]
pub fn labelstream() -> PathBuf {
    let own = env::current_exe().expect("a program knows its own path");
    let folder = own.parent().expect("a file lies in a folder");
    let profile = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let binary = profile.join("labelstream");
    let built = modified(&binary).unwrap_or_else(|| panic!("{} is missing; run: cargo build -p cli", binary.display()));
    for source in sources_of(&binary) {
        let newer = modified(&source).is_some_and(|changed| changed > built);
        assert!(!newer, "{} is older than {}; run: cargo build -p cli", binary.display(), source.display());
    }
    binary
}

/// A port on 127.0.0.1 that was free a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A running command. Dropping it kills it, as `kill -9` does.
pub struct Process {
    child: Child,
    logs: TempDir,
    /// Its command line, for messages.
    line: String,
}

impl Process {
    /// Starts `labelstream` with these arguments.
    pub fn labelstream(arguments: &[&str]) -> Self {
        Self::start(Command::new(labelstream()).args(arguments))
    }

    /// Starts any command, its output kept in files.
    pub fn start(command: &mut Command) -> Self {
        let logs = TempDir::new().expect("a temporary folder for logs");
        let file = |name| File::create(logs.path().join(name)).expect("a new file in our own folder");
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let line = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{line} did not start: {error}"));
        Self { child, logs, line }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// What it has logged so far.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Waits until its output or its log contains `text`.
    ///
    /// # Panics
    /// When it ends, or `within` passes, without it.
    pub fn await_text(&mut self, text: &str, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let ended = self.child.try_wait().expect("our own child").is_some();
            if self.stderr().contains(text) || self.stdout().contains(text) {
                return;
            }
            assert!(!ended && Instant::now() < deadline, "{text:?} did not appear{}", self.story());
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after `within`.
    pub fn await_exit(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(Instant::now() < deadline, "it still runs after {within:?}{}", self.story());
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for its end, which must be exit code 0.
    pub fn await_success(&mut self, within: Duration) {
        let status = self.await_exit(within);
        assert!(status.success(), "it ended with {status}{}", self.story());
    }

    /// Sends a signal by name, such as `TERM`, `INT`, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        assert!(self.try_signal(name), "SIG{name} did not reach {}", self.line);
    }

    /// The same to a process that may be gone; true when it was there.
    pub fn try_signal(&self, name: &str) -> bool {
        let sent =
            Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).stderr(Stdio::null()).status();
        sent.is_ok_and(|status| status.success())
    }

    /// Ends it without a chance to tidy up, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().ok(); // it may have ended by itself
        self.child.wait().ok();
    }

    /// Fails on every WARN or ERROR of its log that contains none of the `expected` texts.
    pub fn assert_quiet_log(&self, expected: &[&str]) {
        let log = self.stderr();
        let loud = log.lines().filter(|line| is_loud(line) && !expected.iter().any(|text| line.contains(text)));
        let loud: Vec<_> = loud.collect();
        assert!(loud.is_empty(), "unexpected in the log of {}:\n{}", self.line, loud.join("\n"));
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.logs.path().join(name)).expect("the file was made at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What a failed test needs to say about it.
    fn story(&self) -> String {
        format!("\ncommand: {}\nstdout:\n{}\nstderr:\n{}", self.line, self.stdout(), self.stderr())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_loud(line: &str) -> bool {
    let levels = [" WARN ", " ERROR ", "\"level\":\"WARN\"", "\"level\":\"ERROR\"", "panicked at"];
    levels.iter().any(|level| line.contains(level))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// The files that cargo compiled into the binary, from the `.d` file beside it.
fn sources_of(binary: &Path) -> Vec<PathBuf> {
    let listed = fs::read_to_string(binary.with_extension("d")).expect("cargo writes labelstream.d beside the binary");
    let sources = listed.split_once(": ").map_or("", |(_, sources)| sources.trim());
    sources.replace("\\ ", "\0").split(' ').map(|path| PathBuf::from(path.replace('\0', " "))).collect()
}
