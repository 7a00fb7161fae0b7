//! Which class was taken for which: accuracy, recall, precision, F1 and the uncertainty of the macro average.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::join::Pair;

/// How often events of one true class were given one label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confusion {
    cells: BTreeMap<(Arc<str>, Option<Arc<str>>), u64>,
    classes: BTreeMap<Arc<str>, ClassCounts>,
    n: u64,
}

/// The margins of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCounts {
    /// Events that are of this class.
    pub actual: u64,
    /// Events that the model gave this label.
    pub predicted: u64,
    /// Both.
    pub hit: u64,
}

impl ClassCounts {
    /// `2 hit / (actual + predicted)`, 0..=1. The classes of a [`Confusion`] were seen at least once.
    pub fn f1(&self) -> f64 {
        2.0 * self.hit as f64 / (self.actual + self.predicted) as f64
    }
}

/// Macro-F1 with the standard error of its estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MacroF1 {
    pub value: f64,
    /// 0 when the sample has no error at all: it then says nothing of how rare errors are.
    pub standard_error: f64,
}

impl Confusion {
    pub fn of(pairs: &[Pair]) -> Self {
        let mut confusion = Self::default();
        for pair in pairs {
            confusion.n += 1;
            *confusion.cells.entry((Arc::clone(&pair.truth), pair.predicted.clone())).or_default() += 1;
            let actual = confusion.classes.entry(Arc::clone(&pair.truth)).or_default();
            actual.actual += 1;
            actual.hit += u64::from(pair.is_right());
            if let Some(predicted) = &pair.predicted {
                confusion.classes.entry(Arc::clone(predicted)).or_default().predicted += 1;
            }
        }
        confusion
    }

    /// Events to which the model gave a label, and how many of these were right.
    pub fn answered(&self) -> (u64, u64) {
        self.classes.values().fold((0, 0), |(answered, right), class| (answered + class.predicted, right + class.hit))
    }

    /// The classes that occur as truth or as label, by name.
    pub fn classes(&self) -> impl Iterator<Item = (&Arc<str>, &ClassCounts)> {
        self.classes.iter()
    }

    /// The mean of F1 over the classes that occur as truth or as label; `None` without any event.
    ///
    /// An abstention is a miss of its true class. The standard error is by the delta method over the multinomial cells
    /// `p_ij` (Takahashi, Yamamoto, Kuchiba, Koyama, "Confidence interval for micro-averaged F1 and macro-averaged F1
    /// scores", Applied Intelligence 52, 2022): with `s_i = p_i. + p_.i`, `F_i = 2 p_ii / s_i` and K classes, the gradient
    /// is `2 (1 - F_i) / (K s_i)` at `p_ii` and `-(F_i / s_i + F_j / s_j) / K` at `p_ij`; the variance is
    /// `(sum p g^2 - (sum p g)^2) / n`.
    pub fn macro_f1(&self) -> Option<MacroF1> {
        if self.n == 0 {
            return None;
        }
        let n = self.n as f64;
        let count = self.classes.len() as f64;
        let value = self.classes.values().map(ClassCounts::f1).sum::<f64>() / count;
        // F_i / s_i in shares, for each class.
        let pull = |class: &ClassCounts| class.f1() / ((class.actual + class.predicted) as f64 / n);
        let (mut first, mut second) = (0.0, 0.0);
        for ((truth, predicted), cell) in &self.cells {
            let actual = &self.classes[truth];
            let gradient = match predicted {
                Some(label) if label == truth => {
                    2.0 * (1.0 - actual.f1()) / ((actual.actual + actual.predicted) as f64 / n)
                }
                Some(label) => -(pull(actual) + pull(&self.classes[label])),
                None => -pull(actual),
            } / count;
            let share = *cell as f64 / n;
            first += share * gradient;
            second += share * gradient * gradient;
        }
        Some(MacroF1 { value, standard_error: ((second - first * first).max(0.0) / n).sqrt() })
    }
}
