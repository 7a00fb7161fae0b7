//! Predictions and true labels of one window, brought together by id.

use std::sync::Arc;

use super::book::LabelBook;
use super::predictions::Predictions;

/// An event whose true label is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub truth: Arc<str>,
    /// `None` when the model abstained.
    pub predicted: Option<Arc<str>>,
    /// 0..=1; `None` for events without a score.
    pub score: Option<f64>,
    /// From the event to its label, by their own times; below 0 where the clocks disagree.
    pub delay_ms: i64,
}

impl Pair {
    pub fn is_right(&self) -> bool {
        self.predicted.as_ref() == Some(&self.truth)
    }
}

/// Count, mean and variance of scores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScoreMoments {
    pub n: u64,
    sum: f64,
    sum_of_squares: f64,
}

impl ScoreMoments {
    fn add(&mut self, score: f64) {
        self.n += 1;
        self.sum += score;
        self.sum_of_squares += score * score;
    }

    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// Variance of the mean: that of the scores over their number.
    fn mean_variance(&self) -> Option<f64> {
        let mean = self.mean()?;
        Some((self.sum_of_squares / self.n as f64 - mean * mean).max(0.0) / self.n as f64)
    }
}

/// What is known of one window at some moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Join {
    /// Ascending by id hash.
    pub pairs: Vec<Pair>,
    /// Events of the sample that were looked up.
    pub asked: u64,
    /// All events of the window, sampled or not, with an id or without.
    pub events: u64,
    /// Events that carry no id.
    pub events_without_id: u64,
    /// The share of the window's ids that were kept for looking up, 0..=1.
    pub sampled_share: f64,
    /// Scores of the events that have a true label, and of those that have none.
    pub labelled: ScoreMoments,
    pub unlabelled: ScoreMoments,
}

impl Join {
    /// Looks up every event of the sample; labels that were given after `deadline_ms` do not count.
    pub fn of(predictions: &Predictions, book: &LabelBook, deadline_ms: i64) -> Self {
        let mut join = Self {
            events: predictions.events(),
            events_without_id: predictions.events_without_id(),
            sampled_share: predictions.sampled_share(),
            ..Self::default()
        };
        for (id, prediction) in predictions.sample().filter(|(id, _)| !book.is_dropped(*id)) {
            join.asked += 1;
            let score = prediction.score();
            let Some(truth) = book.truth(id, deadline_ms) else {
                score.into_iter().for_each(|score| join.unlabelled.add(score));
                continue;
            };
            score.into_iter().for_each(|score| join.labelled.add(score));
            join.pairs.push(Pair {
                truth: Arc::clone(&truth.label),
                predicted: prediction.label.clone(),
                score,
                delay_ms: truth.time_ms.saturating_sub(prediction.time_ms),
            });
        }
        join
    }

    /// The share of the window's events whose true label is known, 0..=1, projected from the sample; 0 for no events.
    pub fn coverage(&self) -> f64 {
        if self.asked == 0 || self.events == 0 {
            return 0.0;
        }
        let with_id = (self.events - self.events_without_id) as f64 / self.events as f64;
        self.pairs.len() as f64 / self.asked as f64 * with_id
    }

    /// How much surer the model was of the events that got a label than of the others, in scores, with its standard error.
    /// `None` where either side has fewer than two scores.
    pub fn selection(&self) -> Option<(f64, f64)> {
        if self.labelled.n < 2 || self.unlabelled.n < 2 {
            return None;
        }
        let variance = self.labelled.mean_variance()? + self.unlabelled.mean_variance()?;
        Some((self.labelled.mean()? - self.unlabelled.mean()?, variance.sqrt()))
    }
}
