//! DuckDB and pyarrow read the reports, and `docs/reports.md` tells the truth: its columns and its queries.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Deserialize;
use sink::reports::{ReportStore, ReportsConfig};
use tempfile::TempDir;
use tests::workspace;

use crate::sample;
use crate::server::{open, with_credentials};

/// Findings of a report.
const ROWS: usize = 600;

/// Hours of three days: two, one, one.
const HOURS: [i64; 4] = [0, 1, 24, 48];

/// What `tests/clients/reports.py` prints.
#[derive(Deserialize)]
struct Found {
    tables: BTreeMap<String, Table>,
    finding: Vec<String>,
    arrow_type: String,
    models: Vec<String>,
    pruned: Pruned,
    newer: (usize, usize),
    documented: Vec<(String, usize)>,
    bucket: usize,
}

#[derive(Deserialize)]
struct Table {
    duckdb: usize,
    pyarrow: usize,
    /// Name and type, in order.
    columns: Vec<(String, String)>,
}

/// Files that are opened for one day of three, and of how many where the reader says so.
#[derive(Deserialize)]
struct Pruned {
    duckdb: Option<(usize, usize)>,
    pyarrow: usize,
}

#[test]
fn duckdb_and_pyarrow_read_what_the_page_says() {
    with_credentials("readers::duckdb_and_pyarrow_read_what_the_page_says", |s3| {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("labelstream-data");
        let stores = [ReportStore::open(&ReportsConfig::of_folder(&data)).expect("a new folder"), open(s3.settings())];
        for hour in HOURS {
            for store in &stores {
                store.write(&sample::hour(hour, ROWS)).expect("a store that works");
            }
        }
        let mut other = sample::hour(0, 1);
        other.model = "acme/intent v2".to_owned();
        stores[0].write(&other).expect("a writable folder");

        let found = read(&folder, &s3.address().to_string());
        check_rows(&found);
        check_page(&found);
    });
}

fn read(folder: &TempDir, endpoint: &str) -> Found {
    let page = workspace::root().join("docs/reports.md");
    let mut command = Command::new(workspace::tool("python/bin/python"));
    command.arg(workspace::root().join("tests/clients/reports.py")).arg(folder.path()).arg(page).arg(endpoint);
    let output = command.output().expect("the reader starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{errors}"))
}

fn check_rows(found: &Found) {
    let hours = HOURS.len();
    for (table, rows) in [("drift", hours * ROWS + 1), ("window_summary", 500), ("performance", 5), ("words", 100)] {
        let read = &found.tables[table];
        assert_eq!((read.duckdb, read.pyarrow), (rows, rows), "{table}");
    }
    let reason = "share of card_arrival rose from 4.1 % to 12.3 %";
    let expected =
        ["label", "drift", reason, "6e-38", "asymptotic", "TIMESTAMP WITH TIME ZONE", "2026-05-01 00:00:00+00"];
    assert_eq!(found.finding[..7], expected);
    assert!(found.models.contains(&found.finding[7]));
    assert_eq!(found.finding[8..], ["PT1H", "2026-05-01", "10", "label_00_0", "1000", "label_00", "1", "13746"]);
    assert_eq!(found.arrow_type, "timestamp[us, tz=UTC]");
    assert_eq!(found.models, ["acme/intent v2", "banking77-minilm"], "names are read back from the path");
    assert_eq!(found.pruned.pyarrow, 1);
    let (opened, _) = found.pruned.duckdb.expect("DuckDB's plan tells the files");
    assert_eq!(opened, 1, "a day is found by its folder");
    assert_eq!(found.newer, (hours * ROWS + 1 + ROWS, ROWS), "a column more is read beside files without it");
    assert_eq!(found.bucket, hours * ROWS, "in the bucket too");
}

/// Every column stands on the page with its type, in order, and every query there runs and finds something.
fn check_page(found: &Found) {
    let page = fs::read_to_string(workspace::root().join("docs/reports.md")).expect("the page is in the repository");
    for (table, read) in &found.tables {
        let section = page.split(&format!("\n## `{table}`")).nth(1).unwrap_or_else(|| panic!("no section for {table}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = rows.map(|line| {
            let (name, rest) = line.split_once("` | ").expect("a name and a type");
            (name.to_owned(), rest.split(" | ").next().unwrap_or_default().replace('`', ""))
        });
        assert_eq!(cells.collect::<Vec<_>>(), read.columns, "{table} on the page, and in the files");
    }
    assert!(found.documented.len() >= 8, "{:?}", found.documented);
    for (place, (language, rows)) in found.documented.iter().enumerate() {
        assert!(*rows > 0, "query {place} of the page, in {language}, finds nothing");
    }
}

#[test]
fn a_report_is_small() {
    let folder = TempDir::new().expect("a temporary folder");
    let store = ReportStore::open(&ReportsConfig::of_folder(folder.path())).expect("a writable folder");
    let places = store.write(&sample::hour(0, ROWS)).expect("a writable folder");
    for place in places {
        let bytes = fs::metadata(&place).expect("just written").len();
        println!("{bytes} bytes: {}", place.rsplit("/v=1").last().unwrap_or_default());
        if place.contains("/drift/") {
            let bytes_max = 110 * ROWS as u64; // measured: 98; eight numbers that differ in every row are 64 of them
            assert!(bytes <= bytes_max, "{bytes} bytes for {ROWS} findings");
        }
    }
}
