//! Where a report's files lie: a hive layout that DuckDB, pyarrow, Athena and Spark prune by, and names that a replay
//! repeats.
//!
//! ```text
//! drift/v=1/model=banking77/granularity=PT1H/dt=2026-05-01/w=0100-r0.parquet
//! ```
//!
//! `v` is raised when a column changes its meaning, which additions never do. A day is the finest partition: queries
//! ask for days, and finer ones would only make more folders.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::error::StoreError;

/// The version of the tables.
const VERSION: &str = "v=1";

/// Bytes of a model's name in a path: file systems allow 255 for a whole component.
const MODEL_BYTES_MAX: usize = 200;

/// What hive writes where a value is missing.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

const ENDING: &str = ".parquet";

/// Which report: one window of one model at one revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportName {
    pub model: String,
    /// ISO 8601, such as `PT1H`.
    pub granularity: String,
    /// Milliseconds since 1970 UTC.
    pub start_ms: i64,
    pub revision: i32,
}

impl ReportName {
    /// The path of its file in `table`, relative to the store.
    ///
    /// # Errors
    /// [`StoreError::NoDate`] outside of the years 0 to 9999.
    pub fn path(&self, table: &str) -> Result<String, StoreError> {
        let no_date = || StoreError::NoDate { start_ms: self.start_ms };
        let start = Timestamp::from_millisecond(self.start_ms).map_err(|_| no_date())?.to_zoned(TimeZone::UTC);
        if start.year() < 0 {
            return Err(no_date());
        }
        let mut path = granularity_folder(table, &self.model, &self.granularity);
        let day = start.date();
        let (hour, minute, second) = (start.hour(), start.minute(), start.second());
        write!(path, "/dt={day}/w={hour:02}{minute:02}").ok(); // a String takes any text
        if self.granularity.ends_with('S') {
            write!(path, "{second:02}").ok();
        }
        write!(path, "-r{}{ENDING}", self.revision).ok();
        Ok(path)
    }
}

/// The folder of a table, with a folder per model.
pub(super) fn table_folder(table: &str) -> String {
    format!("{table}/{VERSION}")
}

/// The folder of a model in a table, with a folder per granularity.
pub(super) fn model_folder(table: &str, model: &str) -> String {
    format!("{}/model={}", table_folder(table), escape_model(model))
}

/// The folder of a granularity of a model, with a folder per day.
pub(super) fn granularity_folder(table: &str, model: &str, granularity: &str) -> String {
    format!("{}/granularity={}", model_folder(table, model), escape(granularity))
}

/// The value of a folder such as `model=intent%2Fv2`, when it is one of `column`.
pub(super) fn folder_value(folder: &str, column: &str) -> Option<String> {
    let value = folder.strip_prefix(column)?.strip_prefix('=')?;
    if value == NO_VALUE { Some(String::new()) } else { unescape(value) }
}

/// The first moment of a folder `dt=2026-05-01`, in milliseconds since 1970 UTC.
pub(super) fn day_start(folder: &str) -> Option<i64> {
    let day: jiff::civil::Date = folder.strip_prefix("dt=")?.parse().ok()?;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The start and the revision of a file `w=0100-r0.parquet` of a day.
pub(super) fn window_of(file: &str, day_start_ms: i64) -> Option<(i64, i32)> {
    let (clock, revision) = file.strip_prefix("w=")?.strip_suffix(ENDING)?.split_once("-r")?;
    if !matches!(clock.len(), 4 | 6) || !clock.bytes().chain(revision.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unit = |place: usize| clock.get(place..place + 2).map_or(Some(0), |digits| digits.parse::<i64>().ok());
    let seconds = unit(0)? * 3600 + unit(2)? * 60 + unit(4)?;
    Some((day_start_ms + seconds * 1000, revision.parse().ok()?))
}

/// A model's name as it is written in a path. A very long one is cut, and told apart by a hash.
fn escape_model(model: &str) -> String {
    if model.is_empty() {
        return NO_VALUE.to_owned();
    }
    let escaped = escape(model);
    if escaped.len() <= MODEL_BYTES_MAX {
        return escaped;
    }
    let mut head = String::new();
    for sign in model.chars() {
        let sign = escape(sign.encode_utf8(&mut [0; 4]));
        if head.len() + sign.len() > MODEL_BYTES_MAX - 17 {
            break;
        }
        head.push_str(&sign);
    }
    format!("{head}~{:016x}", fnv1a(model.as_bytes()))
}

/// Hive's escapes, `%2F`, which query engines read back: letters, digits, '.', '_', '-' and '~' stand for themselves.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").ok(); // a String takes any text
        }
    }
    escaped
}

fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The 64-bit FNV-1a hash: short, and the same for ever. Not against an enemy: model names are the user's own.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(model: &str, granularity: &str, start_ms: i64) -> ReportName {
        ReportName { model: model.to_owned(), granularity: granularity.to_owned(), start_ms, revision: 0 }
    }

    /// 2026-05-01T01:00:30Z.
    const MOMENT_MS: i64 = 1_777_597_230_000;

    #[test]
    fn a_window_has_one_path_that_reads_back() {
        let hour = MOMENT_MS - 30_000;
        for (granularity, start_ms, file) in [
            ("PT1H", hour, "dt=2026-05-01/w=0100-r0.parquet"),
            ("PT30S", MOMENT_MS, "dt=2026-05-01/w=010030-r0.parquet"),
            ("P1D", hour - 3_600_000, "dt=2026-05-01/w=0000-r0.parquet"),
            ("PT1M", -60_000, "dt=1969-12-31/w=2359-r0.parquet"),
        ] {
            let path = name("m", granularity, start_ms).path("drift").expect("a year of this era");
            assert_eq!(path, format!("drift/v=1/model=m/granularity={granularity}/{file}"));
            let (day, file) = file.split_once('/').expect("a day and a file");
            assert_eq!(window_of(file, day_start(day).expect("a day")), Some((start_ms, 0)));
        }
        assert!(name("m", "PT1H", i64::MAX).path("drift").is_err());
        assert!(name("m", "PT1H", -90_000_000_000_000).path("drift").is_err(), "a year before 0");
    }

    #[test]
    fn foreign_files_are_no_windows() {
        for file in [
            "w=01-r0.parquet",
            "w=0100-r0.parquet.tmp",
            ".w=0100-r0.parquet",
            "w=0a00-r0.parquet",
            "w=0100.parquet",
            "w=0100-r-1.parquet",
        ] {
            assert_eq!(window_of(file, 0), None, "{file}");
        }
    }

    #[test]
    fn model_names_survive_the_path() {
        for model in ["banking77-minilm", "acme/intent v2", "..", "模型", "a%2Fb", "a=b&c#d?", "", "x\ny"] {
            let folder = model_folder("drift", model);
            let escaped = folder.strip_prefix("drift/v=1/").expect("the table's folder");
            assert!(escaped.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-%=".contains(&byte)), "{escaped}");
            assert_eq!(folder_value(escaped, "model").as_deref(), Some(model));
        }
    }

    #[test]
    fn a_long_model_name_is_cut_and_told_apart() {
        let (one, two) = ("模".repeat(300), "模".repeat(301));
        let (one, two) = (escape_model(&one), escape_model(&two));
        assert!(one.len() <= MODEL_BYTES_MAX && one != two && !one.contains("%~"), "{one}");
        let read = folder_value(&format!("model={one}"), "model").expect("a name that reads back");
        assert_eq!(escape_model(&read), one, "what a listing finds can be read");
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c, "the published value");
    }
}
