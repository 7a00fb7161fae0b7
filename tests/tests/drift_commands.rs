//! The drift commands as a person meets them: a quiet history, a planted change, and every kind of wrong input.

use std::fs;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use tests::folder::files;
use tests::labeled::{HOUR_MS, LabeledStream, START_MS};
use tests::process::labelstream;

/// Hours before the planted change and after it.
const QUIET_HOURS: i64 = 6;
const CHANGED_HOURS: i64 = 5;

/// A folder with a profile of two quiet days and a history that changes.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: TempDir::new().expect("a temporary folder") };
        let quiet = LabeledStream::new(1).hours(START_MS, 48, &LabeledStream::USUAL);
        stage.write("quiet.jsonl", &quiet.lines());
        let later = START_MS + 100 * HOUR_MS;
        let changing = LabeledStream::new(2).hours(later, QUIET_HOURS, &LabeledStream::USUAL).hours(
            later + QUIET_HOURS * HOUR_MS,
            CHANGED_HOURS,
            &LabeledStream::CHANGED,
        );
        stage.write("changing.jsonl", &changing.lines());
        stage
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("our own folder can be written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn drift(&self, arguments: &[&str]) -> Output {
        Command::new(labelstream())
            .arg("drift")
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts")
    }

    /// The profile of the quiet days.
    fn calibrate(&self) {
        let made =
            self.drift(&["calibrate", "quiet.jsonl", "--out", "quiet.profile", "--granularity", "1h,1d", "--words"]);
        expect(
            &made,
            0,
            &[
                "quiet.profile: 9,600 records of 2026-05-01 00:00 to 2026-05-03 00:00 UTC, model toy 1",
                "expected false alarms: at most 0.8500 per week",
                "windows of PT1H: 48 seen, 200 records each, level 0.003, 0.5000 alarms per week",
                "each compared with the others: 0 of 48 drift",
                "smallest change detected 4 times out of 5:",
                "a category with a share of 5 %",
            ],
            &["9,600 records read, all of them usable"],
        );
    }

    fn backtest(&self, file: &str, reports: &str) -> Output {
        self.drift(&["backtest", file, "--reference", "quiet.profile", "--granularity", "1h,1d", "--reports", reports])
    }
}

#[track_caller]
fn expect(output: &Output, code: i32, out_lines: &[&str], err_lines: &[&str]) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
    for line in out_lines {
        assert!(out.contains(line), "stdout does not say {line:?}:\n{out}\nstderr:\n{err}");
    }
    for line in err_lines {
        assert!(err.contains(line), "stderr does not say {line:?}:\n{err}\nstdout:\n{out}");
    }
}

#[test]
fn a_planted_change_is_found_explained_and_nothing_before_it() {
    let stage = Stage::new();
    stage.calibrate();
    let tested = stage.backtest("changing.jsonl", "reports");
    expect(&tested, 0, &["12 windows: "], &["2,200 records read, all of them usable"]);
    let lines = String::from_utf8_lossy(&tested.stdout).into_owned();
    let hours: Vec<_> = lines.lines().filter(|line| line.starts_with("PT1H")).collect();
    let (before, after) = hours.split_at(usize::try_from(QUIET_HOURS).expect("a few hours"));
    assert!(before.iter().all(|line| line.contains(" ok ")), "an alarm before the change:\n{lines}");
    assert!(after[0].contains(" warn ") && after[0].contains("seen in 1 of the 2 windows"), "{lines}");
    assert!(after[1..].iter().all(|line| line.contains(" drift ")), "the change is missed:\n{lines}");

    let explained = stage.drift(&["explain", "latest", "--reports", "reports", "--html", "page.html"]);
    expect(
        &explained,
        0,
        &[
            "toy, 2026-05-05 14:00 to 15:00 UTC  drift\n",
            "  reference  9,600 records, fixed, sha256:",
            "  drift  words\n",
            "share of delivery rose from 0.0 % to ",
            "since 2026-05-05 10:00 UTC, 5 windows of 1 h in a row",
            "Words that changed\n",
            "written to page.html\n",
        ],
        &[],
    );
    assert!(!String::from_utf8_lossy(&explained.stdout).contains('\u{1b}'), "colours on a pipe");
    let page = stage.read("page.html");
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg") && !page.contains("<script"), "{page}");
    let quiet = stage.drift(&["explain", "2026-05-05T05:00:00Z", "--granularity", "1h", "--reports", "reports"]);
    expect(&quiet, 0, &["toy, 2026-05-05 05:00 to 06:00 UTC  ok\n", "Nothing moved\n"], &[]);
}

#[test]
fn the_same_history_gives_the_same_bytes() {
    let stage = Stage::new();
    stage.calibrate();
    expect(&stage.backtest("changing.jsonl", "one"), 0, &["12 windows"], &[]);
    expect(&stage.backtest("changing.jsonl", "two"), 0, &["12 windows"], &[]);
    let (one, two) = (files(&stage.folder.path().join("one")), files(&stage.folder.path().join("two")));
    assert!(one.len() >= 24, "a few tables for each window, found {}", one.len());
    assert_eq!(one.len(), two.len());
    for ((name, bytes), (other_name, other_bytes)) in one.iter().zip(&two) {
        assert_eq!(name, other_name);
        assert!(bytes == other_bytes, "{name} differs");
    }
}

#[test]
fn a_bad_line_is_told_and_left_out() {
    let stage = Stage::new();
    stage.calibrate();
    let mut lines: Vec<String> = stage.read("changing.jsonl").lines().map(str::to_owned).collect();
    lines[6] = "{broken".to_owned();
    lines[7] = lines[7].replace("\"score\":0.", "\"score\":1.");
    stage.write("bad.jsonl", &lines.join("\n"));
    let tested = stage.backtest("bad.jsonl", "reports");
    expect(
        &tested,
        0,
        &["12 windows: "],
        &[
            "refused bad.jsonl, line or row 7: the payload is not a JSON object",
            "refused bad.jsonl, line or row 8: ",
            "2,200 records read, 2 refused (bad_json 1, out_of_range 1)",
        ],
    );
}

#[test]
fn a_window_that_is_not_there_is_told_with_those_that_are() {
    let stage = Stage::new();
    let nothing = stage.drift(&["explain", "latest", "--reports", "none"]);
    let place = stage.folder.path().join("none").display().to_string();
    expect(
        &nothing,
        1,
        &[],
        &[
            &format!("failed to find the window: there is no report yet in {place} (reports.url, --reports)"),
            "writes the first one when its shortest window (PT1M) closes",
            "10 s after the window's end (drift.out_of_order_ms)",
        ],
    );
    stage.calibrate();
    expect(&stage.backtest("changing.jsonl", "reports"), 0, &[], &[]);
    let absent = stage.drift(&["explain", "2020-01-01", "--reports", "reports"]);
    expect(
        &absent,
        1,
        &[],
        &["failed to find the window: no window contains 2020-01-01 00:00 UTC; toy has 1 of P1D, such as \
             2026-05-05T00:00:00Z; toy has 11 of PT1H, such as 2026-05-05T04:00:00Z"],
    );
    let shorter = stage.drift(&["explain", "latest", "--granularity", "5m", "--reports", "reports"]);
    let there_is = "there is no report of the requested model or window length; toy has 1 of P1D";
    expect(&shorter, 1, &[], &[there_is]);
    let nonsense = stage.drift(&["explain", "yesterday"]);
    expect(&nonsense, 2, &[], &["expected a time such as 2026-05-01T01:00:00Z", "\"yesterday\""]);
}

#[test]
fn what_cannot_be_used_is_said_before_anything_is_read() {
    let stage = Stage::new();
    let missing = stage.drift(&["backtest", "changing.jsonl", "--reference", "no-such.profile"]);
    expect(&missing, 78, &[], &["read the profile no-such.profile"]);
    stage.write("text.profile", "not a profile");
    let foreign = stage.drift(&["backtest", "changing.jsonl", "--reference", "text.profile"]);
    expect(&foreign, 78, &[], &["read the profile text.profile: expected a file that begins with"]);
    let absent = stage.drift(&["backtest", "no-such.jsonl", "--reference", "rolling"]);
    expect(&absent, 1, &[], &["open the history no-such.jsonl"]);
    stage.write("few.jsonl", &LabeledStream::new(3).hours(START_MS, 1, &LabeledStream::USUAL).lines()[..2000]);
    let few = stage.drift(&["calibrate", "few.jsonl", "--out", "few.profile"]);
    expect(&few, 1, &[], &["expected at least 100 (verdict.records_min)"]);
    let no_input = stage.drift(&["calibrate", "--out", "a.profile"]);
    expect(&no_input, 2, &[], &["required arguments were not provided"]);
    let settings = stage.drift(&["--granularity", "1m,90s", "--set", "drift.group=labelstream"]);
    expect(&settings, 78, &[], &["drift.granularities (--granularity)", "drift.group (--set drift.group)"]);
}

#[test]
fn a_parquet_file_of_something_else_is_refused_with_the_columns_that_it_lacks() {
    let stage = Stage::new();
    stage.calibrate();
    expect(&stage.backtest("changing.jsonl", "reports"), 0, &[], &[]);
    let reports = files(&stage.folder.path().join("reports"));
    let (name, _) = reports.iter().find(|(name, _)| name.starts_with("drift/")).expect("a report has this table");
    let refused = stage.backtest(&format!("reports/{name}"), "again");
    expect(
        &refused,
        1,
        &[],
        &["failed to read the history: ", "column label of ", ": missing; the file has window_start"],
    );
    assert!(!stage.folder.path().join("again").join("drift").exists(), "a report of nothing");
}

/// A history of a few events with these times, as JSON writes them.
fn events(times: &[String]) -> String {
    let event = |time: &String| {
        format!(
            "{{\"text\":\"hi\",\"label\":\"a\",\"score\":0.5,\"model\":{{\"name\":\"m\",\"version\":\"1\"}},\"source\":\
             {{\"event_time_ms\":{time}}}}}\n"
        )
    };
    times.iter().map(event).collect()
}

#[test]
fn a_history_of_which_nothing_can_be_used_is_an_error_that_says_what_it_is() {
    let stage = Stage { folder: TempDir::new().expect("a temporary folder") };
    stage.write("a.csv", "label,score,event_time\na,0.5,2026-05-01\nb,0.5,2026-05-01\n");
    stage.write("array.json", &format!("[{}]", events(&[START_MS.to_string()]).trim()));
    stage.write("pretty.json", "{\n  \"label\": \"a\"\n}\n");
    stage.write("timeless.jsonl", &events(&["null".to_owned()]).repeat(3));
    stage.write("empty.jsonl", "\n");
    for (file, said) in [
        ("a.csv", "3 records read, 3 refused (bad_json 3); it looks like CSV: save it as Parquet"),
        ("array.json", "it looks like a JSON array: write one object per line (jq -c '.[]')"),
        ("pretty.json", "it looks like JSON over several lines"),
        ("timeless.jsonl", "an event needs a time: source.event_time_ms, or the column event_time in Parquet"),
        ("empty.jsonl", "it has no records"),
    ] {
        let said = [format!("failed to use {file}: "), said.to_owned()];
        let said: Vec<_> = said.iter().map(String::as_str).collect();
        expect(&stage.drift(&["backtest", file, "--reference", "rolling", "--reports", "none"]), 1, &[], &said);
        expect(&stage.drift(&["calibrate", file, "--out", "a.profile"]), 1, &[], &said);
    }
}

/// Ten hours of seconds, which in milliseconds are half a minute of January 1970.
#[test]
fn times_in_another_unit_are_refused_with_the_unit_that_fits_and_read_in_the_one_that_is_given() {
    let stage = Stage { folder: TempDir::new().expect("a temporary folder") };
    let hours = |per_second: f64| -> Vec<String> {
        (0..10).map(|hour| format!("{}", (START_MS / 1000 + hour * 3600) as f64 * per_second)).collect()
    };
    for (unit, per_second) in [("seconds", 1.0), ("microseconds", 1e6), ("nanoseconds", 1e9)] {
        stage.write("a.jsonl", &events(&hours(per_second)));
        let backtest = |more: &[&str]| {
            let mut arguments = vec!["backtest", "a.jsonl", "--reference", "rolling", "--granularity", "1h"];
            arguments.extend(["--reports", "reports"]);
            arguments.extend(more);
            stage.drift(&arguments)
        };
        let fits = format!("in {unit} it would be between 2000 and 2100");
        let counted = "failed to use a.jsonl: 10 records read, 10 refused (bad_event_time 10)";
        expect(&backtest(&[]), 1, &[], &[counted, &fits, "observe.event_time_unit (--time-unit)"]);
        let read = backtest(&["--time-unit", unit]);
        expect(&read, 0, &["10 windows: "], &["10 records read, all of them usable"]);
        // a window that cannot be tested still tells its records
        let lines = String::from_utf8_lossy(&read.stdout).into_owned();
        let window = lines.lines().find(|line| line.starts_with("PT1H")).expect("a line per window");
        assert!(window.contains(" 1 insufficient_data"), "{window}");
    }
    expect(
        &stage.drift(&["backtest", "a.jsonl", "--time-unit", "minutes"]),
        78,
        &[],
        &["--time-unit", "`nanoseconds`"],
    );
}

#[test]
fn scores_that_rounding_pushed_over_1_are_clamped_and_counted() {
    let stage = Stage { folder: TempDir::new().expect("a temporary folder") };
    let rounded = events(&[START_MS.to_string()]).replace("0.5", "1.0000001");
    stage.write("a.jsonl", &format!("{rounded}{}", events(&[(START_MS + 1).to_string()]).replace("0.5", "1.7")));
    let tested = stage.drift(&["backtest", "a.jsonl", "--reference", "rolling", "--reports", "reports"]);
    let said = "2 records read, 1 refused (out_of_range 1), 1 scores slightly outside 0..1 by rounding, clamped";
    expect(&tested, 0, &[], &[said, "the member score is outside 0 to 1"]);
}
