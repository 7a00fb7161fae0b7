//! What a newcomer sees first: `labelstream demo`, without a terminal, stopped early, and on a screen.

use std::fs;
use std::num::NonZeroU16;
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tests::process::{Process, labelstream};
use tests::workspace;
use vt100::Parser;

/// The demo loads the model in a debug build on a busy machine, then sends for some seconds.
const PATIENCE: Duration = Duration::from_secs(180);
const COLUMNS: NonZeroU16 = NonZeroU16::new(110).expect("not zero");
const ROWS: NonZeroU16 = NonZeroU16::new(34).expect("not zero");

/// The figure in the summary's row of this name.
fn figure(summary: &str, name: &str) -> u64 {
    let row = summary.lines().find_map(|line| line.trim_start().strip_prefix(name));
    let digits = row.and_then(|row| row.split_whitespace().next()).map(|digits| digits.replace(',', ""));
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_else(|| panic!("the summary has no figure for {name:?}:\n{summary}"))
}

/// Holds the printed sums against each other, for they are what the demo claims.
fn assert_sums(output: &str) {
    let summary = output.split("Customers start to write").nth(1).unwrap_or_default();
    let sent = figure(summary, "sent  ");
    let labelled = figure(summary, "labelled  ");
    let dead_letters = figure(summary, "dead letters  ");
    assert!(sent >= 20 && labelled > 0, "too little was sent:\n{output}");
    assert_eq!(sent, labelled + dead_letters, "{output}");
    assert_eq!(figure(summary, "duplicates"), 0, "{output}");
    assert_eq!(figure(summary, "lost"), 0, "{output}");
    assert!(output.contains("every record came out exactly once"), "{output}");
    assert!(output.contains("labelstream classify --brokers"), "no next step:\n{output}");
}

/// Starts the demo, its reports in a folder of its own.
fn demo(arguments: &[&str]) -> (Process, TempDir) {
    let reports = TempDir::new().expect("a temporary folder");
    let place = reports.path().display().to_string();
    let line: Vec<_> = ["demo", "--reports", &place].into_iter().chain(arguments.iter().copied()).collect();
    (Process::labelstream(&line), reports)
}

#[test]
fn plain_lines_and_sums_that_agree() {
    let (mut demo, _reports) = demo(&["--seconds", "5"]);
    demo.await_success(PATIENCE);
    let output = demo.stdout();
    assert_sums(&output);
    assert!(output.contains("records/s   "), "no line of progress:\n{output}");
    assert!(!output.contains('\u{1b}'), "escape sequences without a terminal:\n{output}");
    demo.assert_quiet_log(&[]);
}

#[test]
fn the_change_of_the_mix_is_found_and_nothing_before_it() {
    let (mut demo, reports) = demo(&["--seconds", "30"]);
    demo.await_success(PATIENCE);
    let output = demo.stdout();
    assert_sums(&output);
    assert!(output.contains("No alarm before; found "), "the change was not found, or something before it:\n{output}");
    assert!(output.contains("the word palm is in"), "not the word that is new:\n{output}");
    let window = output.lines().find_map(|line| line.trim_start().strip_prefix("labelstream drift explain "));
    let window = window.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    let place = reports.path().display().to_string();
    let mut explain = Process::labelstream(&["drift", "explain", window, "--reports", &place]);
    explain.await_success(PATIENCE);
    assert!(explain.stdout().contains("palm"), "explain {window} does not name the word:\n{}", explain.stdout());
}

/// So few records a second that no window of two seconds can be judged, as on a slow machine.
#[test]
fn the_change_of_a_slow_stream_is_found_within_twice_the_time() {
    let (mut demo, _reports) = demo(&["--rate", "8", "--seconds", "30"]);
    demo.await_success(PATIENCE);
    let output = demo.stdout();
    assert_sums(&output);
    assert!(output.contains("No alarm before; found "), "the change was not found, or something before it:\n{output}");
    assert!(output.contains("the word palm is in"), "not the word that is new:\n{output}");
    let sent = figure(&output, "sent  ");
    assert!(sent <= 8 * 62, "it went on for longer than twice the time:\n{output}");
}

#[test]
fn a_number_of_records_at_a_given_rate() {
    let (mut demo, _reports) = demo(&["--records", "120", "--rate", "60"]);
    demo.await_success(PATIENCE);
    let output = demo.stdout();
    assert_eq!(figure(&output, "sent  "), 120);
    assert_sums(&output);
}

#[test]
fn ctrl_c_ends_it_early_with_the_same_summary() {
    let (mut demo, _reports) = demo(&["--seconds", "600"]);
    demo.await_text("records/s   ", PATIENCE);
    demo.signal("INT");
    demo.await_success(PATIENCE);
    assert_sums(&demo.stdout());
    demo.assert_quiet_log(&[]);
}

#[test]
fn a_model_that_is_not_there_is_said_before_anything_runs() {
    let (mut demo, _reports) = demo(&["--model", "/no/such/folder"]);
    let status = demo.await_exit(PATIENCE);
    assert_eq!(status.code(), Some(78), "{}", demo.stderr());
    assert!(demo.stderr().contains("/no/such/folder"), "{}", demo.stderr());
}

/// Runs the demo in a pseudo-terminal; what the terminal received lies in `typescript`.
struct OnScreen {
    process: Process,
    folder: TempDir,
}

impl OnScreen {
    /// `None` where `script` of util-linux is missing.
    fn start(test: &str, arguments: &str) -> Option<Self> {
        let has_script = Command::new("script")
            .arg("--version")
            .output()
            .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux"));
        if !has_script {
            workspace::skip(test, "script of util-linux is missing");
            return None;
        }
        let folder = TempDir::new().expect("a temporary folder");
        let line = format!("stty cols {COLUMNS} rows {ROWS}; exec {} {arguments}", labelstream().display());
        let mut command = Command::new("script");
        command.args(["--quiet", "--flush", "--return", "--command", &line]).arg(folder.path().join("typescript"));
        command.env("TERM", "xterm-256color");
        Some(Self { process: Process::start(&mut command), folder })
    }

    /// Everything that the terminal received so far, without the lines that `script` adds.
    fn received(&self) -> Vec<u8> {
        let bytes = fs::read(self.folder.path().join("typescript")).unwrap_or_default();
        let start = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |line| line + 1);
        bytes[start..].to_vec()
    }

    /// The screen as it stands now.
    fn screen(&self) -> Parser {
        let mut parser = Parser::new(ROWS, COLUMNS, 200);
        parser.process(&self.received());
        parser
    }
}

#[test]
fn a_terminal_shows_the_screen_and_gets_back_what_it_had() {
    let reports = TempDir::new().expect("a temporary folder");
    let arguments = format!("demo --seconds 6 --reports {}", reports.path().display());
    let Some(mut shown) = OnScreen::start("the demo's screen", &arguments) else { return };
    let deadline = std::time::Instant::now() + PATIENCE;
    let live = loop {
        let parser = shown.screen();
        let text = parser.screen().contents();
        if text.contains("records/s") && text.contains('█') {
            break parser;
        }
        assert!(std::time::Instant::now() < deadline, "the screen did not come up:\n{text}");
        thread::sleep(Duration::from_millis(50));
    };
    let screen = live.screen();
    assert!(screen.alternate_screen(), "it draws over the user's own text");
    assert!(screen.hide_cursor());
    let text = screen.contents();
    for expected in ["labelstream demo", "sent", "labelled", "p50", "p99", "just labelled", "messages-labeled", "█"] {
        assert!(text.contains(expected), "no {expected:?} on the screen:\n{text}");
    }

    shown.process.await_success(PATIENCE);
    let after = shown.screen();
    assert!(!after.screen().alternate_screen(), "the user's screen did not come back");
    assert!(!after.screen().hide_cursor(), "the cursor did not come back");
    assert_sums(&after.screen().contents());
}
