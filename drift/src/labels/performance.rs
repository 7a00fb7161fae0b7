//! The rows that say how right the model was in one window, out of the join of its predictions with their true labels.
//!
//! | metric | value | interval |
//! |---|---|---|
//! | `accuracy` | right among the labels that the model gave; abstentions are left out | Wilson |
//! | `confidence` | mean score over the same events: the accuracy that the model itself expected | normal |
//! | `accuracy_minus_confidence` | their difference, event by event; below 0 the model is too sure | normal |
//! | `macro_f1` | mean F1 over the classes that occur as truth or as label; an abstention is a miss | delta method |
//! | `calibration_error` | expected calibration error over 15 bins | folded normal |
//! | `recall`, `precision` | of one class (`label`) | Wilson |
//! | `label_coverage` | share of the window's events whose true label is known | |
//! | `label_delay_p50_seconds`, `_p90_`, `_p99_` | from the event to its label, of the labels so far | order statistics |
//!
//! Every interval is of 95 % and none is drawn at random, so equal input gives equal rows. They take labelled events as
//! a fair sample of all events: `reliability` says `doubtful` where the scores of the two differ.

use schemas::report::{PerformanceRow, ReportKey};
use statistics::distribution::normal_isf;
use statistics::{Interval, proportion};

use super::calibration::calibration_error;
use super::confusion::{ClassCounts, Confusion};
use super::join::Join;

/// Two-sided confidence of every interval.
const CONFIDENCE: f64 = 0.95;
/// Rows for at most this many classes, those with most events: an unbounded label space must not flood the report.
const CLASSES_MAX: usize = 200;
/// Labelled events are called no fair sample when their mean score is off by more than this, in scores ...
const SELECTION_MIN: f64 = 0.02;
/// ... and by more than this many standard errors (p < 0.003).
const SELECTION_DEVIATIONS: f64 = 3.0;
/// The quantiles of the delay, with their names.
const DELAYS: [(f64, &str); 3] =
    [(0.5, "label_delay_p50_seconds"), (0.9, "label_delay_p90_seconds"), (0.99, "label_delay_p99_seconds")];

/// Whose performance the rows tell.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// `is_final` here: the time to label is over.
    pub key: &'a ReportKey,
    pub model_version: &'a str,
}

/// All rows of one window; one that says why there are none when no event has a true label.
pub fn rows(join: &Join, subject: &Subject<'_>) -> Vec<PerformanceRow> {
    let rows = Rows { join, subject, coverage: join.coverage(), reliability: reliability(join) };
    if join.pairs.is_empty() {
        return vec![rows.none()];
    }
    let confusion = Confusion::of(&join.pairs);
    let mut all = rows.accuracy(&confusion);
    all.extend(rows.macro_f1(&confusion));
    all.extend(rows.calibration());
    all.extend(rows.classes(&confusion));
    all.push(rows.coverage());
    all.extend(rows.delays());
    all
}

/// One figure on its way into a row.
struct Figure {
    metric: &'static str,
    value: f64,
    interval: Option<(Interval, &'static str)>,
    n: u64,
    reason: String,
}

struct Rows<'a> {
    join: &'a Join,
    subject: &'a Subject<'a>,
    coverage: f64,
    reliability: Option<String>,
}

impl Rows<'_> {
    fn row(&self, figure: Figure) -> PerformanceRow {
        let Figure { metric, value, interval, n, reason } = figure;
        PerformanceRow {
            key: self.subject.key.clone(),
            slice_key: None,
            slice_value: None,
            metric: metric.to_owned(),
            label: None,
            value: Some(value),
            ci_low: interval.map(|(interval, _)| interval.low),
            ci_high: interval.map(|(interval, _)| interval.high),
            ci_method: interval.map(|(_, method)| method.to_owned()),
            n: i64::try_from(n).unwrap_or(i64::MAX),
            label_coverage: Some(self.coverage),
            reliability: self.reliability.clone(),
            reason,
            model_version: self.subject.model_version.to_owned(),
        }
    }

    fn none(&self) -> PerformanceRow {
        let Join { events, events_without_id, .. } = *self.join;
        let reason = match events {
            0 => "the window has no events".to_owned(),
            _ if events_without_id == events => {
                format!("none of {events} events carries an id: set decode.id_pointer where they are labelled")
            }
            _ => format!("none of {} sampled events has a true label yet", self.join.asked),
        };
        PerformanceRow {
            value: None,
            ..self.row(Figure { metric: "accuracy", value: 0.0, interval: None, n: 0, reason })
        }
    }

    fn accuracy(&self, confusion: &Confusion) -> Vec<PerformanceRow> {
        let (answered, right) = confusion.answered();
        let abstained = self.join.pairs.len() as u64 - answered;
        let beside = if abstained == 0 { String::new() } else { format!("; {abstained} more were abstentions") };
        let mut rows = Vec::new();
        if let Some((value, interval)) = share(right, answered) {
            let reason = format!("{right} of {answered} labels were right{beside}");
            rows.push(self.row(Figure {
                metric: "accuracy",
                value,
                interval: Some((interval, "wilson")),
                n: answered,
                reason,
            }));
        }
        // Event by event: (score, right - score).
        let scored: Vec<(f64, f64)> = self
            .join
            .pairs
            .iter()
            .filter(|pair| pair.predicted.is_some())
            .filter_map(|pair| pair.score.map(|score| (score, f64::from(u8::from(pair.is_right())) - score)))
            .collect();
        let (scores, misses): (Vec<f64>, Vec<f64>) = scored.into_iter().unzip();
        if let (Some((confidence, of_scores)), Some((miss, of_misses))) = (mean(&scores), mean(&misses)) {
            let n = scores.len() as u64;
            let side = if miss < 0.0 { "less" } else { "more" };
            let reason = format!("the model expected {:.1} % of these labels to be right", 100.0 * confidence);
            let interval = Interval { low: of_scores.low.max(0.0), high: of_scores.high.min(1.0) };
            rows.push(self.row(Figure {
                metric: "confidence",
                value: confidence,
                interval: Some((interval, "normal")),
                n,
                reason,
            }));
            let reason =
                format!("labels were right {:.1} points {side} often than their scores said", 100.0 * miss.abs());
            let metric = "accuracy_minus_confidence";
            rows.push(self.row(Figure { metric, value: miss, interval: Some((of_misses, "normal")), n, reason }));
        }
        rows
    }

    fn macro_f1(&self, confusion: &Confusion) -> Option<PerformanceRow> {
        let f1 = confusion.macro_f1()?;
        let classes = confusion.classes().count();
        let reach = normal_isf((1.0 - CONFIDENCE) / 2.0) * f1.standard_error;
        let interval = Interval { low: (f1.value - reach).max(0.0), high: (f1.value + reach).min(1.0) };
        let (interval, beside) = match f1.standard_error {
            0.0 => (None, "; without a single error there is nothing to take an interval from"),
            _ => (Some((interval, "delta")), ""),
        };
        let reason = format!("mean F1 of {classes} classes over {} labelled events{beside}", self.join.pairs.len());
        let n = self.join.pairs.len() as u64;
        Some(self.row(Figure { metric: "macro_f1", value: f1.value, interval, n, reason }))
    }

    fn calibration(&self) -> Option<PerformanceRow> {
        let answered = self.join.pairs.iter().filter(|pair| pair.predicted.is_some());
        let error = calibration_error(answered.filter_map(|pair| Some((pair.score?, pair.is_right()))))?;
        let (points, chance) = (100.0 * error.value, 100.0 * error.by_chance);
        let reason = format!("scores are {points:.1} points off; chance alone makes {chance:.1} of {} events", error.n);
        let interval = Some((error.interval, "folded_normal"));
        Some(self.row(Figure { metric: "calibration_error", value: error.value, interval, n: error.n, reason }))
    }

    /// Recall and precision of the largest classes, by name.
    fn classes(&self, confusion: &Confusion) -> Vec<PerformanceRow> {
        let mut classes: Vec<_> = confusion.classes().collect();
        classes.sort_by_key(|(name, class)| (std::cmp::Reverse(class.actual + class.predicted), *name));
        classes.truncate(CLASSES_MAX);
        classes.sort_by_key(|(name, _)| *name);
        let of_class = |(name, class): (&std::sync::Arc<str>, &ClassCounts)| {
            let ClassCounts { actual, predicted, hit } = *class;
            let recall = (actual, "recall", format!("{hit} of {actual} events of {name} were labelled so"));
            let precision = (predicted, "precision", format!("{hit} of {predicted} labels {name} were right"));
            [recall, precision]
                .into_iter()
                .filter_map(|(n, metric, reason)| {
                    let (value, interval) = share(hit, n)?;
                    let figure = Figure { metric, value, interval: Some((interval, "wilson")), n, reason };
                    Some(PerformanceRow { label: Some(name.to_string()), ..self.row(figure) })
                })
                .collect::<Vec<_>>()
        };
        classes.into_iter().flat_map(of_class).collect()
    }

    fn coverage(&self) -> PerformanceRow {
        let Join { asked, events, events_without_id, sampled_share, ref pairs, .. } = *self.join;
        let mut reason = format!("{} of {asked} sampled events have a true label", pairs.len());
        if sampled_share < 1.0 {
            reason += &format!("; the sample holds {:.1} % of the window's ids", 100.0 * sampled_share);
        }
        if events_without_id > 0 {
            reason += &format!("; {events_without_id} of {events} events carry no id and never can");
        }
        self.row(Figure { metric: "label_coverage", value: self.coverage, interval: None, n: asked, reason })
    }

    fn delays(&self) -> Vec<PerformanceRow> {
        let mut delays: Vec<i64> = self.join.pairs.iter().map(|pair| pair.delay_ms).collect();
        delays.sort_unstable();
        let seconds = |rank: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to the ranks there are"
            )]
            let place = rank.clamp(1.0, delays.len() as f64) as usize - 1;
            delays[place] as f64 / 1000.0
        };
        let n = delays.len() as f64;
        let row = |(quantile, metric): (f64, &'static str)| {
            let reach = normal_isf((1.0 - CONFIDENCE) / 2.0) * (n * quantile * (1.0 - quantile)).sqrt();
            let low = seconds((n * quantile - reach).floor());
            let high = seconds((n * quantile + reach).ceil() + 1.0);
            let reason = "of the labels so far; those still to come are slower".to_owned();
            let interval = Some((Interval { low, high }, "order_statistics"));
            self.row(Figure { metric, value: seconds((n * quantile).ceil()), interval, n: delays.len() as u64, reason })
        };
        DELAYS.into_iter().map(row).collect()
    }
}

/// A share with Wilson's interval; `None` of nothing.
fn share(hits: u64, total: u64) -> Option<(f64, Interval)> {
    let share = proportion::Proportion::new(hits, total).ok()?;
    let interval = proportion::wilson(share, CONFIDENCE, 1.0).ok()?;
    (total > 0).then(|| (share.value(), interval))
}

/// The mean with its normal interval; `None` of fewer than two values.
fn mean(values: &[f64]) -> Option<(f64, Interval)> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0);
    let reach = normal_isf((1.0 - CONFIDENCE) / 2.0) * (variance / n).sqrt();
    Some((mean, Interval { low: mean - reach, high: mean + reach }))
}

/// Whether the labelled events look like the others, by the scores of both.
fn reliability(join: &Join) -> Option<String> {
    let (difference, error) = join.selection()?;
    let (labelled, unlabelled) = (join.labelled.mean()?, join.unlabelled.mean()?);
    let is_off = difference.abs() > SELECTION_MIN && difference.abs() > SELECTION_DEVIATIONS * error;
    Some(if is_off {
        format!("doubtful: labelled events have a mean score of {labelled:.3}, the others {unlabelled:.3}")
    } else {
        "reliable".to_owned()
    })
}
