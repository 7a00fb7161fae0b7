//! What there is to say about one window: rows of reports in, a page out, which the terminal and the HTML file both show.
//!
//! Pure. The rows are as they were written; nothing is tested again. A feature's primary finding carries a correction
//! (its q-value); the other tests of the feature only describe it and stand below. "Since when" is found by walking back
//! over the earlier windows of the same granularity.

use std::cmp::Ordering;
use std::collections::HashMap;

use drift::verdict::overall;
use schemas::report::{DriftRow, OffsetRange, PerformanceRow, ReportKey, Verdict, WindowReport, WordRow};

/// Words shown at most, the surest first: more than a person reads, few enough for a page.
const WORDS_SHOWN: usize = 20;

/// One window, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub(crate) model: String,
    pub(crate) granularity: String,
    pub(crate) key: ReportKey,
    /// The gravest of its findings.
    pub(crate) verdict: Verdict,
    pub(crate) facts: Facts,
    /// Features with a verdict of drift, warn or error, gravest and surest first.
    pub(crate) moved: Vec<Moved>,
    /// The other features by their verdict, each verdict once.
    pub(crate) quiet: Vec<(Verdict, Vec<String>)>,
    pub(crate) words: Vec<WordRow>,
    pub(crate) performance: Vec<PerformanceRow>,
    /// This window and those before it, oldest first.
    pub(crate) timeline: Vec<Point>,
}

impl Page {
    /// Milliseconds.
    pub(crate) fn length_ms(&self) -> i64 {
        self.key.window_end_ms.saturating_sub(self.key.window_start_ms)
    }
}

/// What the findings rest on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// Events of the window.
    pub(crate) records: i64,
    pub(crate) late_dropped: i64,
    pub(crate) reference_kind: String,
    pub(crate) reference_id: String,
    /// Events of the reference.
    pub(crate) reference_records: i64,
    pub(crate) model_version: String,
    pub(crate) config_hash: String,
    pub(crate) offsets: Vec<OffsetRange>,
    /// Primary tests that were made in the window.
    pub(crate) tests: usize,
}

/// One feature of one slice that is not as before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moved {
    pub(crate) finding: DriftRow,
    /// The other tests of the same feature and slice.
    pub(crate) others: Vec<DriftRow>,
    pub(crate) since: Since,
    /// The finding in this window and those before it, oldest first.
    pub(crate) history: Vec<Point>,
}

/// How long a finding has been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    /// Start of the first window of the run, milliseconds since 1970 UTC.
    pub(crate) start_ms: i64,
    /// Windows of the run that were flagged, this one included.
    pub(crate) windows: usize,
    /// No window before the run says otherwise: it may have begun earlier than the reports do.
    pub(crate) is_open: bool,
}

/// One window on a line of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Milliseconds since 1970 UTC.
    pub(crate) start_ms: i64,
    pub(crate) verdict: Verdict,
    /// The smallest one; `None` where nothing was tested.
    pub(crate) q_value: Option<f64>,
    pub(crate) threshold: Option<f64>,
}

/// The page of `current`; `earlier` are windows of the same granularity before it, in any order, each at its newest
/// revision.
pub fn page(current: &WindowReport, earlier: &[WindowReport]) -> Page {
    let mut earlier: Vec<_> = earlier
        .iter()
        .filter(|report| report.key.window_start_ms < current.key.window_start_ms)
        .map(Tested::of)
        .collect();
    earlier.sort_by_key(|tested| tested.start_ms);
    let current_tested = Tested::of(current);
    let (mut loud, calm): (Vec<_>, Vec<_>) =
        current_tested.primaries.iter().copied().partition(|row| is_loud(row.verdict));
    loud.sort_by(|one, other| graver_first(one, other));
    let mut timeline: Vec<_> = earlier.iter().map(Tested::point).collect();
    timeline.push(current_tested.point());
    Page {
        model: current.model.clone(),
        granularity: current.granularity.clone(),
        key: current.key.clone(),
        verdict: current_tested.verdict,
        facts: facts(current, current_tested.primaries.len()),
        moved: loud.into_iter().map(|row| moved(row, current, &earlier)).collect(),
        quiet: quiet(&calm),
        words: words(&current.words),
        performance: current.performance.clone(),
        timeline,
    }
}

/// `label`, or `label where source = mobile`.
pub(crate) fn name(row: &DriftRow) -> String {
    match (&row.slice_key, &row.slice_value) {
        (Some(key), Some(value)) => format!("{} where {key} = {value}", row.feature),
        _ => row.feature.clone(),
    }
}

/// The findings of one window that count.
struct Tested<'a> {
    start_ms: i64,
    verdict: Verdict,
    primaries: Vec<&'a DriftRow>,
}

impl<'a> Tested<'a> {
    fn of(report: &'a WindowReport) -> Self {
        Self {
            start_ms: report.key.window_start_ms,
            verdict: overall(&report.drift).verdict,
            primaries: primaries(&report.drift),
        }
    }

    /// The window as a whole.
    fn point(&self) -> Point {
        Point {
            start_ms: self.start_ms,
            verdict: self.verdict,
            q_value: self.primaries.iter().filter_map(|row| row.q_value).reduce(f64::min),
            threshold: self.primaries.iter().find_map(|row| row.threshold),
        }
    }

    /// The same feature, slice and test as `row`.
    fn point_of(&self, row: &DriftRow) -> Option<Point> {
        let same = self.primaries.iter().find(|other| subject(row) == subject(other) && other.test == row.test)?;
        Some(Point { start_ms: self.start_ms, verdict: same.verdict, q_value: same.q_value, threshold: same.threshold })
    }
}

/// What a finding is about.
type Subject<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

fn subject(row: &DriftRow) -> Subject<'_> {
    (&row.feature, row.slice_key.as_deref(), row.slice_value.as_deref())
}

/// The findings that count: those that were corrected, and the first row of a subject for which none was.
fn primaries(rows: &[DriftRow]) -> Vec<&DriftRow> {
    let mut corrected: HashMap<Subject<'_>, bool> = HashMap::new();
    for row in rows {
        *corrected.entry(subject(row)).or_default() |= row.correction.is_some();
    }
    let mut primaries = Vec::new();
    for row in rows {
        // An entry is used up by the first row of a subject without a corrected one.
        let is_first_of_none = corrected.get_mut(&subject(row)).is_some_and(|seen| !std::mem::replace(seen, true));
        if row.correction.is_some() || is_first_of_none {
            primaries.push(row);
        }
    }
    primaries
}

fn is_loud(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Drift | Verdict::Warn | Verdict::Error)
}

/// Gravest, then surest, then all events before slices, then by name.
fn graver_first(one: &DriftRow, other: &DriftRow) -> Ordering {
    (other.verdict.cmp(&one.verdict))
        .then_with(|| one.q_value.unwrap_or(1.0).total_cmp(&other.q_value.unwrap_or(1.0)))
        .then_with(|| one.slice_key.is_some().cmp(&other.slice_key.is_some()))
        .then_with(|| subject(one).cmp(&subject(other)))
}

fn facts(report: &WindowReport, tests: usize) -> Facts {
    let whole = report.drift.iter().filter(|row| row.slice_key.is_none());
    let most = |count: fn(&DriftRow) -> i64| whole.clone().map(count).max().unwrap_or_default();
    let Some(first) = report.drift.first() else { return Facts::default() };
    Facts {
        records: most(|row| row.n_cur.saturating_add(row.n_missing_cur)),
        late_dropped: most(|row| row.n_late_dropped),
        reference_kind: first.reference_kind.clone(),
        reference_id: first.reference_id.clone(),
        reference_records: most(|row| row.n_ref),
        model_version: first.model_version.clone(),
        config_hash: first.config_hash.clone(),
        offsets: first.offsets.clone(),
        tests,
    }
}

fn moved(row: &DriftRow, current: &WindowReport, earlier: &[Tested<'_>]) -> Moved {
    let others = current.drift.iter().filter(|other| subject(row) == subject(other) && *other != row);
    let mut history: Vec<_> = earlier.iter().filter_map(|tested| tested.point_of(row)).collect();
    let start_ms = current.key.window_start_ms;
    history.push(Point { start_ms, verdict: row.verdict, q_value: row.q_value, threshold: row.threshold });
    Moved { finding: row.clone(), others: others.cloned().collect(), since: since(&history), history }
}

/// Walks back from the newest point. Windows that could not be tested neither end a run nor lengthen it.
fn since(history: &[Point]) -> Since {
    let mut since = Since { start_ms: history.last().map_or(0, |point| point.start_ms), windows: 0, is_open: true };
    for point in history.iter().rev() {
        match point.verdict {
            Verdict::Drift | Verdict::Warn => {
                since.start_ms = point.start_ms;
                since.windows += 1;
            }
            Verdict::Ok => {
                since.is_open = false;
                break;
            }
            Verdict::NotApplicable | Verdict::InsufficientData | Verdict::Error => {}
        }
    }
    since
}

fn quiet(rows: &[&DriftRow]) -> Vec<(Verdict, Vec<String>)> {
    let of = |verdict| rows.iter().filter(move |row| row.verdict == verdict).map(|row| name(row)).collect::<Vec<_>>();
    [Verdict::Ok, Verdict::InsufficientData, Verdict::NotApplicable]
        .into_iter()
        .map(|verdict| (verdict, of(verdict)))
        .filter(|(_, names)| !names.is_empty())
        .collect()
}

fn words(rows: &[WordRow]) -> Vec<WordRow> {
    let mut words: Vec<_> = rows.iter().filter(|row| is_loud(row.verdict)).cloned().collect();
    words.sort_by(|one, other| {
        one.q_value.total_cmp(&other.q_value).then(other.effect.abs().total_cmp(&one.effect.abs()))
    });
    words.truncate(WORDS_SHOWN);
    words
}

#[cfg(test)]
pub(crate) mod tests;
