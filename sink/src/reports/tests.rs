//! Any report comes back as it was, as the same bytes each time, and beside files of other versions.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use fastrand::Rng;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;
use schemas::Recovery;
use schemas::report::{Bin, Contributor, OffsetRange, ReportKey, Verdict};

use super::*;

/// 2026-05-01T01:00:00Z.
const START_MS: i64 = 1_777_597_200_000;

fn key(revision: i32) -> ReportKey {
    ReportKey { window_start_ms: START_MS, window_end_ms: START_MS + 3_600_000, revision, is_final: revision > 0 }
}

fn text(random: &mut Rng) -> String {
    (0..random.usize(..12)).map(|_| random.char(..)).collect()
}

fn number(random: &mut Rng) -> f64 {
    match random.u8(..6) {
        0 => 0.0,
        1 => f64::MIN_POSITIVE / 3.0,
        2 => -f64::MAX,
        _ => random.f64() - 0.5,
    }
}

fn maybe<T>(random: &mut Rng, value: fn(&mut Rng) -> T) -> Option<T> {
    random.bool().then(|| value(random))
}

fn verdict(random: &mut Rng) -> Verdict {
    Verdict::ALL[random.usize(..Verdict::ALL.len())]
}

fn list<T>(random: &mut Rng, item: fn(&mut Rng) -> T) -> Vec<T> {
    (0..random.usize(..4)).map(|_| item(random)).collect()
}

fn bin(random: &mut Rng) -> Bin {
    Bin {
        label: text(random),
        low: maybe(random, number),
        high: maybe(random, number),
        reference: random.i64(..),
        current: random.i64(..),
        contribution: number(random),
    }
}

fn contributor(random: &mut Rng) -> Contributor {
    Contributor {
        key: text(random),
        score: number(random),
        reference_share: number(random),
        current_share: number(random),
        p_value: maybe(random, number),
    }
}

fn offsets(random: &mut Rng) -> OffsetRange {
    OffsetRange { topic: text(random), partition: random.i32(..), start: random.i64(..), end: random.i64(..) }
}

fn drift(random: &mut Rng, key: &ReportKey) -> DriftRow {
    DriftRow {
        key: key.clone(),
        report_id: text(random),
        reference_id: text(random),
        reference_kind: text(random),
        slice_key: maybe(random, text),
        slice_value: maybe(random, text),
        feature: text(random),
        feature_kind: text(random),
        test: text(random),
        test_variant: text(random),
        statistic: maybe(random, number),
        statistic_ci_low: maybe(random, number),
        statistic_ci_high: maybe(random, number),
        statistic_bias: maybe(random, number),
        df: maybe(random, number),
        effect: maybe(random, number),
        effect_ci_low: maybe(random, number),
        effect_ci_high: maybe(random, number),
        effect_unit: maybe(random, text),
        p_value: maybe(random, number),
        p_value_method: maybe(random, text),
        p_min_effect: maybe(random, number),
        min_effect: maybe(random, number),
        q_value: maybe(random, number),
        correction: maybe(random, text),
        threshold: maybe(random, number),
        threshold_source: maybe(random, text),
        verdict: verdict(random),
        reason: text(random),
        n_ref: random.i64(..),
        n_cur: random.i64(..),
        n_missing_cur: random.i64(..),
        n_unseen_cur: random.i64(..),
        n_late_dropped: random.i64(..),
        n_eff_cur: maybe(random, number),
        approx_error_bound: maybe(random, number),
        bins: list(random, bin),
        top_contributors: list(random, contributor),
        model_version: text(random),
        pipeline_version: text(random),
        config_hash: text(random),
        offsets: list(random, offsets),
    }
}

fn summary(random: &mut Rng, key: &ReportKey) -> SummaryRow {
    SummaryRow {
        key: key.clone(),
        slice_key: maybe(random, text),
        slice_value: maybe(random, text),
        feature: text(random),
        feature_kind: text(random),
        bin: maybe(random, |random| random.i32(..)),
        label: maybe(random, text),
        low: maybe(random, number),
        high: maybe(random, number),
        count: random.i64(..),
    }
}

fn performance(random: &mut Rng, key: &ReportKey) -> PerformanceRow {
    PerformanceRow {
        key: key.clone(),
        slice_key: maybe(random, text),
        slice_value: maybe(random, text),
        metric: text(random),
        label: maybe(random, text),
        value: maybe(random, number),
        ci_low: maybe(random, number),
        ci_high: maybe(random, number),
        ci_method: maybe(random, text),
        n: random.i64(..),
        label_coverage: maybe(random, number),
        reliability: maybe(random, text),
        reason: text(random),
        model_version: text(random),
    }
}

fn word(random: &mut Rng, key: &ReportKey) -> WordRow {
    WordRow {
        key: key.clone(),
        reference_id: text(random),
        word: maybe(random, text),
        bucket: random.i32(..),
        texts_ref: random.i64(..),
        n_ref: random.i64(..),
        texts_cur: random.i64(..),
        n_cur: random.i64(..),
        p_value: number(random),
        q_value: number(random),
        effect: number(random),
        verdict: verdict(random),
    }
}

/// A report of at least one row.
fn report(seed: u64, rows: usize) -> WindowReport {
    let random = &mut Rng::with_seed(seed);
    let key = key(random.i32(0..3));
    WindowReport {
        model: text(random),
        granularity: ["PT1H", "PT30M", "PT20S"][random.usize(..3)].to_owned(),
        drift: (0..=random.usize(..=rows)).map(|_| drift(random, &key)).collect(),
        summary: (0..random.usize(..=rows)).map(|_| summary(random, &key)).collect(),
        performance: (0..random.usize(..=rows)).map(|_| performance(random, &key)).collect(),
        words: (0..random.usize(..=rows)).map(|_| word(random, &key)).collect(),
        key,
    }
}

fn name(report: &WindowReport) -> ReportName {
    ReportName {
        model: report.model.clone(),
        granularity: report.granularity.clone(),
        start_ms: report.key.window_start_ms,
        revision: report.key.revision,
    }
}

fn open(folder: &Path) -> ReportStore {
    ReportStore::open(&ReportsConfig::of_folder(folder)).expect("a writable folder")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_report_comes_back_as_it_was(seed in any::<u64>(), rows in 0usize..20) {
        let (report, folder) = (report(seed, rows), tempfile::tempdir()?);
        let store = open(folder.path());
        let places = store.write(&report)?;
        prop_assert_eq!(store.windows(&Selection::default())?, vec![name(&report)]);
        prop_assert_eq!(&store.read(&name(&report))?, &report);
        let bytes = |place: &String| fs::read(place).expect("a file that was written");
        let before: Vec<_> = places.iter().map(bytes).collect();
        prop_assert_eq!(&store.write(&report)?, &places);
        prop_assert_eq!(before, places.iter().map(bytes).collect::<Vec<_>>());
    }
}

#[test]
fn a_table_without_rows_has_no_file_and_drift_is_written_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path());
    let empty = WindowReport { words: Vec::new(), performance: Vec::new(), ..report(1, 5) };
    let whole = WindowReport { summary: vec![summary(&mut Rng::with_seed(2), &empty.key)], ..empty };
    let places = store.write(&whole).expect("a writable folder");
    let tables: Vec<_> = places.iter().filter_map(|place| place.split("/v=1/").next()?.rsplit('/').next()).collect();
    assert_eq!(tables, ["window_summary", "drift"]);
    assert_eq!(store.read(&name(&whole)).expect("just written"), whole);
    let nothing = WindowReport { drift: Vec::new(), summary: Vec::new(), ..whole.clone() };
    assert!(store.write(&nothing).expect("nothing to do").is_empty());
    let other = ReportName { revision: 9, ..name(&whole) };
    assert!(matches!(store.read(&other), Err(StoreError::NotFound { .. })));
}

#[test]
fn a_listing_is_cut_to_what_is_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path());
    let base = WindowReport { model: "a/b".to_owned(), granularity: "PT1H".to_owned(), ..report(3, 1) };
    for hour in 0..30 {
        let mut report = base.clone();
        report.key.window_start_ms += hour * 3_600_000;
        report.drift.iter_mut().for_each(|row| row.key = report.key.clone());
        report.summary.clear();
        report.performance.clear();
        report.words.clear();
        store.write(&report).expect("a writable folder");
    }
    let found = |selection: Selection| store.windows(&selection).expect("a readable folder").len();
    assert_eq!(found(Selection::default()), 30);
    assert_eq!(found(Selection { model: Some("a/b".to_owned()), ..Selection::default() }), 30);
    assert_eq!(found(Selection { model: Some("a".to_owned()), ..Selection::default() }), 0);
    assert_eq!(found(Selection { granularity: Some("P1D".to_owned()), ..Selection::default() }), 0);
    let from_ms = Some(START_MS + 22 * 3_600_000); // 23:00, so that the days are cut too
    assert_eq!(found(Selection { from_ms, ..Selection::default() }), 8);
    assert_eq!(found(Selection { from_ms, until_ms: Some(START_MS + 24 * 3_600_000), ..Selection::default() }), 2);
}

#[test]
fn a_number_that_is_none_is_null_or_refused_and_never_nan() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path());
    let mut odd = report(4, 3);
    odd.drift[0].statistic = Some(f64::NAN);
    odd.drift[0].p_value = Some(f64::INFINITY);
    store.write(&odd).expect("a column that may be null");
    let read = store.read(&name(&odd)).expect("just written");
    assert_eq!((read.drift[0].statistic, read.drift[0].p_value), (None, None));
    odd.words = vec![WordRow { effect: f64::NAN, ..word(&mut Rng::with_seed(5), &odd.key) }];
    let refused = store.write(&odd).expect_err("a column that is never null");
    assert!(matches!(refused, StoreError::NotFinite { table: "words", column: "effect" }), "{refused}");
    assert_eq!(refused.recovery(), Recovery::Exit);
}

/// Writes a drift row's file again with other columns.
fn rewrite(path: &str, change: impl FnOnce(Vec<(Field, ArrayRef)>) -> Vec<(Field, ArrayRef)>) {
    let file = File::open(path).expect("a file that was written");
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build()).expect("ours");
    let batch = batches.next().expect("one row group").expect("whole");
    let fields = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>();
    let columns = change(fields.into_iter().zip(batch.columns().iter().cloned()).collect());
    let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns of one length");
    let mut writer =
        ArrowWriter::try_new(File::create(path).expect("ours"), batch.schema(), None).expect("plain types");
    writer.write(&batch).expect("plain types");
    writer.close().expect("a writable file");
}

#[test]
fn files_of_older_and_newer_versions_are_read_and_foreign_ones_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = open(folder.path());
    let whole = WindowReport { drift: vec![drift(&mut Rng::with_seed(6), &key(0))], key: key(0), ..report(6, 0) };
    let path = store.write(&whole).expect("a writable folder").pop().expect("drift is last");
    rewrite(&path, |mut columns| {
        columns.retain(|(field, _)| field.name() != "effect_unit" && field.name() != "bins");
        let newer: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
        columns.push((Field::new("e_value", newer.data_type().clone(), true), newer));
        columns
    });
    let read = store.read(&name(&whole)).expect("what is missing may be missing");
    assert_eq!(read.drift[0], DriftRow { effect_unit: None, bins: Vec::new(), ..whole.drift[0].clone() });

    rewrite(&path, |mut columns| {
        let other: ArrayRef = Arc::new(StringArray::from(vec!["many"]));
        columns.retain(|(field, _)| field.name() != "n_ref");
        columns.push((Field::new("n_ref", other.data_type().clone(), true), other));
        columns
    });
    let damaged = store.read(&name(&whole)).expect_err("a text is no number");
    assert!(damaged.to_string().contains("column n_ref is Utf8, expected Int64"), "{damaged}");
    fs::write(&path, "PAR1 no more").expect("ours");
    assert!(matches!(store.read(&name(&whole)), Err(StoreError::Damaged { table: "drift", .. })));
}

#[test]
fn a_file_says_who_wrote_it_and_nothing_of_when() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = report(7, 3);
    let path = open(folder.path()).write(&whole).expect("a writable folder").pop().expect("drift is last");
    let reader = SerializedFileReader::new(File::open(path).expect("just written")).expect("Parquet");
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.created_by(), Some(concat!("labelstream version ", env!("CARGO_PKG_VERSION"))));
    assert!(metadata.key_value_metadata().is_none_or(Vec::is_empty));
    let reason = |name: &str| {
        let columns = reader.metadata().row_group(0).columns();
        let column = columns.iter().find(|column| column.column_path().string() == name).expect("a column");
        column.statistics().is_some_and(|statistics| statistics.min_bytes_opt().is_some())
    };
    assert!(reason("feature") && reason("window_start"), "queries are pruned by them");
    assert!(!reason("reason") && !reason("bins.list.element.label"), "nobody filters by them");
}
