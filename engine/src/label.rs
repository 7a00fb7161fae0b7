//! Logits to labels: softmax, sigmoid or regression, temperature, thresholds, top-k, abstaining.
//!
//! Pure arithmetic on one text's logits. The result does not depend on the other texts of its batch.

use std::sync::Arc;

use schemas::{Label, Labels};

/// How the logits of a model are read. Follows `problem_type` of `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemType {
    /// Exactly one label is right: `single_label_classification`.
    Softmax,
    /// Any number of labels is right: `multi_label_classification`.
    Sigmoid,
    /// One number, no probability: `regression`.
    Regression,
}

/// Over this, a label of a sigmoid model counts, unless the package has a threshold of its own for it.
pub const SIGMOID_THRESHOLD: f32 = 0.5;

/// All that turns logits into labels.
#[derive(Clone, Debug)]
pub struct Rules {
    pub problem_type: ProblemType,
    /// Label names in the order of the logits.
    pub names: Vec<Arc<str>>,
    /// Divides the logits; positive. 1 leaves them as they are.
    pub temperature: f32,
    /// No label when the best score is below this, 0..=1.
    pub abstain_below: Option<f32>,
    /// Per label, in the order of `names`: below this it is not given, 0..=1.
    pub thresholds: Vec<Option<f32>>,
    /// Labels listed at most.
    pub top_k: usize,
}

/// Labels with the two facts about the scores that only their whole vector tells.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredLabels {
    pub labels: Labels,
    /// See [`schemas::Signals::entropy`].
    pub entropy: Option<f32>,
    /// See [`schemas::Signals::margin`].
    pub margin: Option<f32>,
}

impl Rules {
    /// Reads one text's logits, one per name.
    ///
    /// # Panics
    /// When the number of logits is not the number of names: the caller checks the model's output.
    pub fn labels(&self, logits: &[f32]) -> ScoredLabels {
        assert_eq!(logits.len(), self.names.len(), "one logit per label");
        match self.problem_type {
            ProblemType::Softmax => self.softmax_labels(&softmax(logits, self.temperature)),
            ProblemType::Sigmoid => self.sigmoid_labels(&sigmoid(logits, self.temperature)),
            ProblemType::Regression => ScoredLabels {
                labels: Labels { label: None, score: None, top: Vec::new(), value: Some(logits[0]) },
                entropy: None,
                margin: None,
            },
        }
    }

    fn softmax_labels(&self, scores: &[f32]) -> ScoredLabels {
        let ranked = ranked(scores);
        let best = ranked[0];
        let given = [self.thresholds[best], self.abstain_below].iter().flatten().all(|floor| scores[best] >= *floor);
        ScoredLabels {
            labels: Labels {
                label: given.then(|| Arc::clone(&self.names[best])),
                score: Some(scores[best]),
                top: self.list(scores, ranked.iter().copied()),
                value: None,
            },
            entropy: Some(entropy_of_choice(scores)),
            margin: margin(scores, &ranked),
        }
    }

    /// The score is that of the label given, which may have beaten a higher one that missed its own threshold.
    fn sigmoid_labels(&self, scores: &[f32]) -> ScoredLabels {
        let ranked = ranked(scores);
        let is_given = |place: &usize| {
            let threshold = self.thresholds[*place].unwrap_or(SIGMOID_THRESHOLD);
            scores[*place] >= self.abstain_below.map_or(threshold, |floor| floor.max(threshold))
        };
        let top = self.list(scores, ranked.iter().copied().filter(is_given));
        let winner = ranked.iter().copied().find(is_given);
        ScoredLabels {
            labels: Labels {
                label: winner.map(|place| Arc::clone(&self.names[place])),
                score: Some(scores[winner.unwrap_or(ranked[0])]),
                top,
                value: None,
            },
            entropy: Some(entropy_of_switches(scores)),
            margin: margin(scores, &ranked),
        }
    }

    fn list(&self, scores: &[f32], places: impl Iterator<Item = usize>) -> Vec<Label> {
        places
            .take(self.top_k)
            .map(|place| Label { label: Arc::clone(&self.names[place]), score: scores[place] })
            .collect()
    }
}

/// Probabilities `exp(z / t) / sum(exp(z / t))`; the true maximum is subtracted first, so that no finite input overflows.
pub fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> =
        logits.iter().map(|logit| ((f64::from(*logit) - f64::from(highest)) / f64::from(temperature)).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| narrow(power / sum)).collect()
}

/// Probabilities `1 / (1 + exp(-z / t))`, each on its own.
pub fn sigmoid(logits: &[f32], temperature: f32) -> Vec<f32> {
    logits.iter().map(|logit| narrow(1.0 / (1.0 + (-f64::from(*logit) / f64::from(temperature)).exp()))).collect()
}

/// Shannon entropy divided by its maximum `ln n`, with `0 ln 0 = 0`; 0 for a single class. In 0..=1.
fn entropy_of_choice(scores: &[f32]) -> f32 {
    if scores.len() < 2 {
        return 0.0;
    }
    let entropy: f64 = scores.iter().map(|score| surprise(f64::from(*score))).sum();
    narrow((entropy / count(scores).ln()).clamp(0.0, 1.0))
}

/// Mean over the labels of `-p log2 p - (1-p) log2 (1-p)`. In 0..=1.
fn entropy_of_switches(scores: &[f32]) -> f32 {
    let bits: f64 = scores.iter().map(|score| surprise(f64::from(*score)) + surprise(1.0 - f64::from(*score))).sum();
    narrow((bits / std::f64::consts::LN_2 / count(scores)).clamp(0.0, 1.0))
}

fn surprise(probability: f64) -> f64 {
    if probability > 0.0 { -probability * probability.ln() } else { 0.0 }
}

fn margin(scores: &[f32], ranked: &[usize]) -> Option<f32> {
    let second = ranked.get(1)?;
    Some(scores[ranked[0]] - scores[*second])
}

/// Places by score, highest first; equal scores keep the order of the labels.
fn ranked(scores: &[f32]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    places
}

#[expect(clippy::cast_precision_loss, reason = "label counts are far below 2^52")]
fn count(scores: &[f32]) -> f64 {
    scores.len() as f64
}

#[expect(clippy::cast_possible_truncation, reason = "probabilities are published as f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(problem_type: ProblemType, labels: usize) -> Rules {
        Rules {
            problem_type,
            names: (0..labels).map(|place| format!("l{place}").into()).collect(),
            temperature: 1.0,
            abstain_below: None,
            thresholds: vec![None; labels],
            top_k: 2,
        }
    }

    fn close(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-6, "found {found}, expected {expected}");
    }

    #[test]
    fn softmax_ranks_lists_and_abstains() {
        // softmax of (ln 1, ln 2, ln 5) is (1/8, 2/8, 5/8)
        let logits = [0.0, 2f32.ln(), 5f32.ln()];
        let mut rules = rules(ProblemType::Softmax, 3);
        let scored = rules.labels(&logits);
        assert_eq!(scored.labels.label.as_deref(), Some("l2"));
        close(scored.labels.top[0].score, 0.625);
        close(scored.labels.top[1].score, 0.25);
        assert_eq!(scored.labels.top.len(), 2);
        close(scored.margin.expect("three labels"), 0.375);
        // -(1/8 ln 1/8 + 1/4 ln 1/4 + 5/8 ln 5/8) / ln 3
        close(scored.entropy.expect("softmax has one"), 0.819_448_36);
        rules.abstain_below = Some(0.7);
        let scored = rules.labels(&logits);
        assert_eq!(scored.labels.label, None);
        close(scored.labels.score.expect("also when abstaining"), 0.625);
        rules.abstain_below = None;
        rules.thresholds[2] = Some(0.7);
        assert_eq!(rules.labels(&logits).labels.label, None);
        rules.temperature = 0.5;
        assert_eq!(rules.labels(&logits).labels.label.as_deref(), Some("l2"));
        close(rules.labels(&logits).labels.top[0].score, 25.0 / 30.0);
    }

    #[test]
    fn sigmoid_gives_each_label_over_its_own_threshold() {
        // sigmoid of ln 3 is 3/4, of -ln 3 is 1/4
        let logits = [3f32.ln(), -(3f32.ln()), 3f32.ln()];
        let mut rules = rules(ProblemType::Sigmoid, 3);
        rules.thresholds = vec![Some(0.8), Some(0.2), None];
        let scored = rules.labels(&logits);
        assert_eq!(scored.labels.label.as_deref(), Some("l2"));
        let top: Vec<&str> = scored.labels.top.iter().map(|label| &*label.label).collect();
        assert_eq!(top, ["l2", "l1"]);
        close(scored.margin.expect("three labels"), 0.0);
        // each label: -(3/4 log2 3/4 + 1/4 log2 1/4)
        close(scored.entropy.expect("sigmoid has one"), 0.811_278_1);
        rules.abstain_below = Some(0.9);
        let scored = rules.labels(&logits);
        assert_eq!((scored.labels.label, scored.labels.top.len()), (None, 0));
        close(scored.labels.score.expect("also when abstaining"), 0.75);
    }

    #[test]
    fn regression_has_a_value_and_no_probability() {
        let scored = rules(ProblemType::Regression, 1).labels(&[-3.5]);
        assert_eq!(scored.labels.value, Some(-3.5));
        assert_eq!((scored.labels.score, scored.entropy, scored.margin), (None, None, None));
    }

    #[test]
    fn one_label_and_extreme_logits_stay_finite() {
        let one = rules(ProblemType::Softmax, 1).labels(&[4.0]);
        assert_eq!((one.labels.score, one.entropy, one.margin), (Some(1.0), Some(0.0), None));
        for problem_type in [ProblemType::Softmax, ProblemType::Sigmoid] {
            let mut rules = rules(problem_type, 3);
            rules.temperature = 1e-3;
            let scored = rules.labels(&[f32::MAX, f32::MIN, 0.0]);
            close(scored.labels.score.expect("a probability"), 1.0);
            assert!(scored.entropy.is_some_and(|entropy| (0.0..=1.0).contains(&entropy)));
        }
    }

    proptest! {
        #[test]
        fn softmax_is_the_naive_formula(logits in prop::collection::vec(-20f32..20.0, 1..80), temperature in 0.2f32..5.0) {
            let sum: f64 = logits.iter().map(|logit| f64::from(logit / temperature).exp()).sum();
            for (score, logit) in softmax(&logits, temperature).iter().zip(&logits) {
                let naive = f64::from(logit / temperature).exp() / sum;
                prop_assert!((f64::from(*score) - naive).abs() < 1e-5);
            }
            let scored = rules(ProblemType::Softmax, logits.len()).labels(&logits);
            prop_assert!(scored.entropy.is_some_and(|entropy| (0.0..=1.0).contains(&entropy)));
            prop_assert!(scored.labels.top.windows(2).all(|pair| pair[0].score >= pair[1].score));
        }
    }
}
