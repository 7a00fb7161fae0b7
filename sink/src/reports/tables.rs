//! The four tables of a report: their names and their columns, which are the fields of the rows in `schemas::report`.
//!
//! `docs/reports.md` says what each column means; a test holds that page against these lists. A new column is added at
//! the end of a row's fields and may be null, so that files of both kinds are read together.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, TimeUnit, TimestampMicrosecondType};
use schemas::report::{
    Bin, Contributor, DriftRow, OffsetRange, PerformanceRow, ReportKey, SummaryRow, WindowReport, WordRow,
};

use super::columns::{self, Cell, Mismatch, NotFinite, Record, record};

/// A kind of row that is stored in files of its own.
pub(super) trait Table: Record {
    /// The first folder of its path.
    const NAME: &'static str;

    fn of(report: &WindowReport) -> &[Self];

    fn key(&self) -> &ReportKey;
}

macro_rules! table {
    ($row:ident, $name:literal, $field:ident) => {
        impl Table for $row {
            const NAME: &'static str = $name;

            fn of(report: &WindowReport) -> &[Self] {
                &report.$field
            }

            fn key(&self) -> &ReportKey {
                &self.key
            }
        }
    };
}

table!(DriftRow, "drift", drift);
table!(SummaryRow, "window_summary", summary);
table!(PerformanceRow, "performance", performance);
table!(WordRow, "words", words);

/// Every table in the order of writing: with `drift`, the report is whole.
pub(super) const NAMES: [&str; 4] = [SummaryRow::NAME, WordRow::NAME, PerformanceRow::NAME, DriftRow::NAME];

record!(DriftRow: key {
    report_id,
    reference_id,
    reference_kind,
    slice_key,
    slice_value,
    feature,
    feature_kind,
    test,
    test_variant,
    statistic,
    statistic_ci_low,
    statistic_ci_high,
    statistic_bias,
    df,
    effect,
    effect_ci_low,
    effect_ci_high,
    effect_unit,
    p_value,
    p_value_method,
    p_min_effect,
    min_effect,
    q_value,
    correction,
    threshold,
    threshold_source,
    verdict,
    reason,
    n_ref,
    n_cur,
    n_missing_cur,
    n_unseen_cur,
    n_late_dropped,
    n_eff_cur,
    approx_error_bound,
    bins,
    top_contributors,
    model_version,
    pipeline_version,
    config_hash,
    offsets,
});
record!(Bin { label, low, high, reference, current, contribution });
record!(Contributor { key, score, reference_share, current_share, p_value });
record!(OffsetRange { topic, partition, start, end });
record!(SummaryRow: key { slice_key, slice_value, feature, feature_kind, bin, label, low, high, count });
record!(PerformanceRow: key {
    slice_key,
    slice_value,
    metric,
    label,
    value,
    ci_low,
    ci_high,
    ci_method,
    n,
    label_coverage,
    reliability,
    reason,
    model_version,
});
record!(WordRow: key {
    reference_id,
    word,
    bucket,
    texts_ref,
    n_ref,
    texts_cur,
    n_cur,
    p_value,
    q_value,
    effect,
    verdict,
});

impl Record for ReportKey {
    fn columns(rows: &[&Self]) -> Result<Vec<(Field, ArrayRef)>, NotFinite> {
        let starts: Vec<_> = rows.iter().map(|key| Moment(key.window_start_ms)).collect();
        let ends: Vec<_> = rows.iter().map(|key| Moment(key.window_end_ms)).collect();
        Ok(vec![
            columns::column("window_start", &starts.iter().collect::<Vec<_>>(), |moment| moment)?,
            columns::column("window_end", &ends.iter().collect::<Vec<_>>(), |moment| moment)?,
            columns::column("revision", rows, |key| &key.revision)?,
            columns::column("is_final", rows, |key| &key.is_final)?,
        ])
    }

    fn rows(columns: &StructArray) -> Result<Vec<Self>, Mismatch> {
        let mut start = columns::cells::<Moment>(columns, "window_start")?.into_iter();
        let mut end = columns::cells::<Moment>(columns, "window_end")?.into_iter();
        let mut revision = columns::cells(columns, "revision")?.into_iter();
        let mut is_final = columns::cells(columns, "is_final")?.into_iter();
        let row = || {
            Some(Self {
                window_start_ms: start.next()?.0,
                window_end_ms: end.next()?.0,
                revision: revision.next()?,
                is_final: is_final.next()?,
            })
        };
        Ok(std::iter::from_fn(row).collect())
    }
}

/// Milliseconds since 1970 UTC, stored as microseconds: the unit that every engine reads as a timestamp.
struct Moment(i64);

impl Cell for Moment {
    const NULLABLE: bool = false;

    fn kind() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    fn encode(_: &'static str, cells: &[&Self]) -> Result<ArrayRef, NotFinite> {
        // A window without a date has been refused before: a year below 10000 is far from the bounds.
        let moments = cells.iter().map(|moment| moment.0.saturating_mul(1000));
        Ok(Arc::new(TimestampMicrosecondArray::from_iter_values(moments).with_timezone("UTC")))
    }

    fn decode(column: &dyn Array) -> Option<Vec<Self>> {
        let moments = column.as_primitive_opt::<TimestampMicrosecondType>()?;
        moments.iter().map(|moment| Some(Self(moment?.div_euclid(1000)))).collect()
    }
}
