//! The library's own judgement of windows that are made here: what `labelstream drift backtest` says about them.
//!
//! Settings are those of `workers/default.toml`, except where a caller says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use drift::board::MergedWindow;
use drift::compare::Comparer;
use drift::counts::WindowCounts;
use drift::observation::{Observation, Observer, ObserverSettings};
use drift::profile::{About, Profile};
use drift::reference::settings::{ReferenceConfig, ReferenceSettings};
use drift::reference::{ClosedWindows, Flags, ReferenceKind};
use drift::verdict::settings::{VerdictConfig, VerdictSettings};
use drift::window::{Granularity, Window};
use schemas::report::{DriftRow, Verdict};
use schemas::{ModelId, Origin, RawEvent};
use serde_json::Value;

pub type Fallible<T> = Result<T, Box<dyn Error>>;

pub const HOUR_MS: i64 = 3_600_000;

/// What one window came to.
pub struct Judgement {
    /// Features of all events, by name, whose deciding row said `drift`.
    pub drifted: BTreeSet<String>,
    /// Those that changed for sure, whether large and persistent or not.
    pub sure: BTreeSet<String>,
    pub flags: Flags,
}

/// The default settings of verdicts, changed by `change`.
pub fn verdict(change: impl FnOnce(&mut VerdictSettings)) -> Fallible<VerdictConfig> {
    let mut defaults: toml::Table = toml::from_str(include_str!("../../../workers/default.toml"))?;
    let section = defaults.remove("verdict").ok_or("workers/default.toml has a section [verdict]")?;
    let mut settings = section.try_into()?;
    change(&mut settings);
    VerdictConfig::try_from(settings).map_err(|problems| format!("{problems:?}").into())
}

/// The default settings; `score_distance_min` replaces `verdict.score_distance_min`.
pub fn defaults(score_distance_min: Option<f64>) -> Fallible<VerdictConfig> {
    verdict(|settings| settings.score_distance_min = score_distance_min.unwrap_or(settings.score_distance_min))
}

/// Compares with a fixed profile of these counts.
pub fn comparer(verdict: VerdictConfig, granularities: &[Granularity], reference: WindowCounts) -> Fallible<Comparer> {
    let about = About {
        name: "benchmark".to_owned(),
        model: ModelId { name: "benchmark".to_owned(), version: "1".to_owned(), digest: String::new() },
        made_from: "drawn events".to_owned(),
        first_ms: 0,
        last_ms: 0,
        records: reference.records(),
        has_words: true,
        has_dead_letters: false,
        calibrations: Vec::new(),
    };
    let settings = ReferenceSettings {
        kind: ReferenceKind::Fixed,
        profile: String::new(),
        allow_other_model: true,
        rolling_windows: 1,
        seasonal_weeks: 1,
        windows_min: 1,
    };
    let reference_config = ReferenceConfig::try_from(settings).map_err(|problems| format!("{problems:?}"))?;
    let profile = Arc::new(Profile::new(about, reference));
    Ok(Comparer::new(reference_config, verdict, granularities, Some(profile)))
}

/// Judges the counts of one window.
pub fn judge(comparer: &Comparer, window: Window, counts: WindowCounts, history: &ClosedWindows) -> Judgement {
    let merged = MergedWindow {
        window,
        revision: 0,
        is_final: true,
        counts,
        offsets: Vec::new(),
        late_dropped: 0,
        clamped: 0,
        refused: BTreeMap::new(),
    };
    let comparison = comparer.report(&merged, history);
    // Only deciding rows are corrected; the others describe.
    let decides = |row: &&DriftRow| row.slice_key.is_none() && row.correction.is_some();
    let named = |is_wanted: &dyn Fn(Verdict) -> bool| {
        let rows = comparison.report.drift.iter().filter(decides).filter(|row| is_wanted(row.verdict));
        rows.map(|row| row.feature.clone()).collect()
    };
    Judgement {
        drifted: named(&|verdict| verdict == Verdict::Drift),
        sure: named(&|verdict| matches!(verdict, Verdict::Drift | Verdict::Warn)),
        flags: comparison.flags,
    }
}

/// Whole hours, for windows that are made one after the other.
pub fn hour() -> Granularity {
    Granularity::from_millis(HOUR_MS).expect("an hour is whole seconds")
}

/// The events of a file, one a line, as `change` leaves them.
pub fn events(file: &Path, change: impl Fn(&mut Value)) -> Fallible<Vec<Observation>> {
    let settings = ObserverSettings::default();
    let observer = Observer::new(settings.try_into().map_err(|problems| format!("{problems:?}"))?);
    let topic: Arc<str> = "benchmark".into();
    let lines = BufReader::new(File::open(file).map_err(|error| format!("read {}: {error}", file.display()))?).lines();
    (0..)
        .zip(lines)
        .map(|(offset, line)| {
            let mut event: Value = serde_json::from_str(&line?)?;
            change(&mut event);
            let record = RawEvent {
                origin: Origin { topic: Arc::clone(&topic), partition: 0, offset },
                key: None,
                payload: Some(event.to_string().into_bytes()),
                headers: Vec::new(),
                timestamp_ms: event.pointer("/source/event_time_ms").and_then(Value::as_i64),
            };
            observer.observe(&record, i64::MAX).map_err(|refusal| format!("event {offset}: {}", refusal.name()).into())
        })
        .collect()
}

/// The counts of these events together.
pub fn count<'a>(events: impl IntoIterator<Item = &'a Observation>) -> WindowCounts {
    let mut counts = WindowCounts::default();
    events.into_iter().for_each(|event| counts.observe(event));
    counts
}
