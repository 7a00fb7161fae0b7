//! Which window a page is about: the one that holds a moment, or the latest, and those before it.
//!
//! A store has reports by model, length, start and revision. Where several windows fit, the one with the gravest
//! verdict is meant, and of equals the longest. Where none fits, the error says which there are.

use std::collections::{BTreeMap, BTreeSet};

use drift::settings::WindowConfig;
use drift::verdict::overall;
use drift::window::Granularity;
use schemas::report::{PerformanceRow, WindowReport};
use sink::reports::{ReportName, ReportStore, Selection, StoreError};

use crate::figures::{moment, stamp};

/// Windows named in a message, so that it stays one.
const NAMED_MAX: usize = 3;

/// Which window is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    /// The model, if the store has reports of several.
    pub model: Option<String>,
    pub granularity: Option<Granularity>,
    /// A moment in the window, milliseconds since 1970 UTC; the latest window without it.
    pub moment_ms: Option<i64>,
}

/// Why there is no window to show. Its text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The windows that there are.
    #[error("find the window: {0}")]
    NoWindow(String),
}

/// The window that was asked for, at its newest revision.
///
/// # Errors
/// When the reports cannot be read or hold no such window; the message names those that there are.
pub fn find(store: &ReportStore, sought: &Sought, windows: &WindowConfig) -> Result<WindowReport, SearchError> {
    let Sought { model, granularity, moment_ms } = sought.clone();
    let granularity = granularity.map(|granularity| granularity.to_string());
    let selection = Selection { model, granularity, from_ms: None, until_ms: None };
    let names = newest(store.windows(&selection)?);
    let mut candidates = Vec::new();
    for name in candidates_of(&names, moment_ms) {
        candidates.push((length_ms(name), whole(store, name)?));
    }
    let gravest = candidates.into_iter().max_by(|(one_length, one), (other_length, other)| {
        let verdict = |report: &WindowReport| overall(&report.drift).verdict;
        verdict(one).cmp(&verdict(other)).then(one_length.cmp(other_length))
    });
    if let Some((_, report)) = gravest {
        return Ok(report);
    }
    // Of another model or length there may be some.
    let any = newest(store.windows(&Selection::default())?);
    Err(SearchError::NoWindow(match (names.is_empty(), any.is_empty()) {
        (_, true) => none_yet(&store.location(), windows),
        (true, false) => format!("there is no report of the requested model or window length; {}", absent(&any, None)),
        (false, false) => absent(&names, moment_ms),
    }))
}

/// What to say when the store is empty: where it is, and when to look again.
fn none_yet(location: &str, windows: &WindowConfig) -> String {
    let finest = windows.finest();
    format!(
        "there is no report yet in {location} (reports.url, --reports); labelstream drift writes the first one when \
         its shortest window ({finest}) closes: when every partition has an event {} s after the window's end \
         (drift.out_of_order_ms), or no event for {} s (drift.idle_ms)",
        windows.out_of_order_ms() / 1000,
        windows.idle_ms() / 1000
    )
}

/// A report with all that is known of its window.
fn whole(store: &ReportStore, name: &ReportName) -> Result<WindowReport, StoreError> {
    let mut report = store.read(name)?;
    for revision in (0..name.revision).rev() {
        if !report.drift.is_empty() {
            break;
        }
        match store.read(&ReportName { revision, ..name.clone() }) {
            Ok(before) => report = completed(report, before),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

/// A revision that true labels made holds rows of performance alone: the others stand in the one before it, which also has
/// the estimates.
fn completed(report: WindowReport, before: WindowReport) -> WindowReport {
    let name =
        |row: &PerformanceRow| (row.metric.clone(), row.label.clone(), row.slice_key.clone(), row.slice_value.clone());
    let known: BTreeSet<_> = report.performance.iter().map(name).collect();
    let mut performance = before.performance;
    performance.retain(|row| !known.contains(&name(row)));
    performance.extend(report.performance);
    WindowReport { key: report.key, performance, ..before }
}

/// Each window once, at its highest revision, sorted as the store sorts them.
fn newest(names: Vec<ReportName>) -> Vec<ReportName> {
    let mut newest = BTreeMap::new();
    for name in names {
        newest.insert((name.model.clone(), name.granularity.clone(), name.start_ms), name); // revisions ascend
    }
    newest.into_values().collect()
}

/// Of each model and length the window that holds the moment, or the latest.
fn candidates_of(names: &[ReportName], moment_ms: Option<i64>) -> Vec<&ReportName> {
    let is_wanted = |name: &&ReportName| {
        moment_ms.is_none_or(|moment| name.start_ms <= moment && moment < name.start_ms.saturating_add(length_ms(name)))
    };
    let mut candidates: BTreeMap<(&str, &str), &ReportName> = BTreeMap::new();
    for name in names.iter().filter(is_wanted) {
        candidates.insert((&name.model, &name.granularity), name); // starts ascend
    }
    candidates.into_values().collect()
}

/// 0 for a folder whose name is no length: its windows hold no moment.
fn length_ms(name: &ReportName) -> i64 {
    name.granularity.parse().map_or(0, Granularity::length_ms)
}

/// What to say when there is no such window: what there is instead.
fn absent(names: &[ReportName], moment_ms: Option<i64>) -> String {
    let asked =
        moment_ms.map_or_else(String::new, |moment_ms| format!("no window contains {} UTC; ", moment(moment_ms)));
    let mut lengths: BTreeMap<(&str, &str), Vec<&ReportName>> = BTreeMap::new();
    for name in names {
        lengths.entry((&name.model, &name.granularity)).or_default().push(name);
    }
    let told: Vec<_> = lengths
        .into_iter()
        .map(|((model, granularity), mut names)| {
            let count = names.len();
            names.sort_by_key(|name| moment_ms.map_or(-name.start_ms, |moment| (name.start_ms - moment).abs()));
            let named: Vec<_> = names.iter().take(NAMED_MAX).map(|name| stamp(name.start_ms)).collect();
            format!("{model} has {count} of {granularity}, such as {}", named.join(", "))
        })
        .collect();
    format!("{asked}{}", told.join("; "))
}

/// The windows of the same model and length before this one, each at its newest revision.
///
/// # Errors
/// When the reports cannot be read.
pub fn earlier(store: &ReportStore, current: &WindowReport, count: usize) -> Result<Vec<WindowReport>, SearchError> {
    let selection = Selection {
        model: Some(current.model.clone()),
        granularity: Some(current.granularity.clone()),
        from_ms: None,
        until_ms: Some(current.key.window_start_ms),
    };
    let names = newest(store.windows(&selection)?);
    let reports = names.iter().rev().take(count).map(|name| whole(store, name));
    Ok(reports.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use schemas::report::{ReportKey, Verdict, WordRow};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn name(granularity: &str, start_ms: i64, revision: i32) -> ReportName {
        ReportName { model: "m".to_owned(), granularity: granularity.to_owned(), start_ms, revision }
    }

    #[test]
    fn the_window_that_holds_the_moment_at_its_newest_revision() {
        let names = newest(vec![
            name("PT1H", 0, 0),
            name("PT1H", 0, 1),
            name("PT1H", HOUR_MS, 0),
            name("PT1M", HOUR_MS - 60_000, 0),
        ]);
        let at = |moment| candidates_of(&names, moment).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(at(Some(HOUR_MS - 1)), [name("PT1H", 0, 1), name("PT1M", HOUR_MS - 60_000, 0)]);
        assert_eq!(at(Some(HOUR_MS)), [name("PT1H", HOUR_MS, 0)]);
        assert_eq!(at(None), [name("PT1H", HOUR_MS, 0), name("PT1M", HOUR_MS - 60_000, 0)]);
        assert_eq!(at(Some(5 * HOUR_MS)), []);
    }

    #[test]
    fn a_revision_for_true_labels_is_completed_by_the_one_before() {
        let row = |metric: &str, revision| PerformanceRow {
            key: ReportKey { window_start_ms: 0, window_end_ms: HOUR_MS, revision, is_final: revision == 1 },
            slice_key: None,
            slice_value: None,
            metric: metric.to_owned(),
            label: None,
            value: Some(f64::from(revision)),
            ci_low: None,
            ci_high: None,
            ci_method: None,
            n: 1,
            label_coverage: None,
            reliability: None,
            reason: String::new(),
            model_version: String::new(),
        };
        let report = |revision, performance: Vec<PerformanceRow>| WindowReport {
            model: "m".to_owned(),
            granularity: "PT1H".to_owned(),
            key: performance[0].key.clone(),
            drift: Vec::new(),
            summary: Vec::new(),
            performance,
            words: if revision == 0 { vec![word()] } else { Vec::new() },
        };
        let before = report(0, vec![row("estimated_accuracy", 0), row("accuracy", 0)]);
        let whole = completed(report(1, vec![row("accuracy", 1)]), before);
        assert_eq!(whole.performance, [row("estimated_accuracy", 0), row("accuracy", 1)]);
        assert_eq!((whole.key.revision, whole.words.len()), (1, 1));
    }

    fn word() -> WordRow {
        WordRow {
            key: ReportKey { window_start_ms: 0, window_end_ms: HOUR_MS, revision: 0, is_final: false },
            reference_id: String::new(),
            word: None,
            bucket: 0,
            texts_ref: 1,
            n_ref: 1,
            texts_cur: 1,
            n_cur: 1,
            p_value: 1.0,
            q_value: 1.0,
            effect: 0.0,
            verdict: Verdict::Ok,
        }
    }

    #[test]
    fn a_window_that_is_not_there_is_told_with_its_neighbours() {
        let names: Vec<_> = (0..5).map(|hour| name("PT1H", hour * HOUR_MS, 0)).collect();
        assert_eq!(
            absent(&names, Some(9 * HOUR_MS)),
            "no window contains 1970-01-01 09:00 UTC; m has 5 of PT1H, such as 1970-01-01T04:00:00Z, \
             1970-01-01T03:00:00Z, 1970-01-01T02:00:00Z"
        );
    }
}
