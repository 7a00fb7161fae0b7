//! What a package knows of its own scores: how well calibrated they are, and how often its answer is right from a
//! given score or margin on. Measured on texts held out of training, after the temperature.
//!
//! Nothing here changes a label. It is for those who decide by scores: a person who picks a threshold for abstaining, or
//! a cascade that asks a slower model where a fast one is unsure.

use serde::Deserialize;

/// `calibration` of `labelstream.json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    pub method: CalibrationMethod,
    /// Texts that the rest was measured on.
    pub texts: u64,
    /// Expected calibration error with the temperature, 0..=1.
    pub ece_held_out: f32,
    /// The same with temperature 1.
    pub ece_held_out_without: f32,
    /// By the best label's score.
    #[serde(default)]
    pub score_curve: Vec<CurvePoint>,
    /// By the best score minus the second best; absent for a single label.
    #[serde(default)]
    pub margin_curve: Vec<CurvePoint>,
}

/// How scores were calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// Logits divided by one number (Guo et al., "On Calibration of Modern Neural Networks", 2017).
    Temperature,
}

/// The texts that reach a score or margin. All values are in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    pub at_least: f32,
    /// Share of the texts that reach it.
    pub coverage: f32,
    /// Share of these whose answer is right; with several labels, whose labels are exactly the right ones.
    pub accuracy: f32,
}

impl Calibration {
    /// The first field that cannot be, with what is wrong about it.
    pub(super) fn problem(&self) -> Option<(String, String)> {
        for (field, share) in [("ece_held_out", self.ece_held_out), ("ece_held_out_without", self.ece_held_out_without)]
        {
            if !(0.0..=1.0).contains(&share) {
                return Some((format!("calibration.{field}"), format!("is {share}: expected 0 to 1")));
            }
        }
        [("score_curve", &self.score_curve), ("margin_curve", &self.margin_curve)]
            .into_iter()
            .find_map(|(name, curve)| curve_problem(curve).map(|problem| (format!("calibration.{name}"), problem)))
    }
}

/// Points have shares, and each next one has a higher value that no more texts reach.
fn curve_problem(curve: &[CurvePoint]) -> Option<String> {
    for (number, point) in curve.iter().enumerate() {
        for (name, share) in [("at_least", point.at_least), ("coverage", point.coverage), ("accuracy", point.accuracy)]
        {
            if !(0.0..=1.0).contains(&share) {
                return Some(format!("has {name} {share} at point {number}: expected 0 to 1"));
            }
        }
    }
    let descends = |pair: &[CurvePoint]| pair[1].at_least <= pair[0].at_least || pair[1].coverage > pair[0].coverage;
    let place = curve.windows(2).position(descends)?;
    Some(format!("does not go from low to high at point {}", place + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_least: f32, coverage: f32) -> CurvePoint {
        CurvePoint { at_least, coverage, accuracy: 0.9 }
    }

    fn calibration(score_curve: Vec<CurvePoint>) -> Calibration {
        Calibration {
            method: CalibrationMethod::Temperature,
            texts: 499,
            ece_held_out: 0.02,
            ece_held_out_without: 0.04,
            score_curve,
            margin_curve: Vec::new(),
        }
    }

    #[test]
    fn only_a_curve_of_shares_that_ascends_is_accepted() {
        assert_eq!(calibration(Vec::new()).problem(), None);
        assert_eq!(calibration(vec![point(0.1, 1.0), point(0.2, 1.0), point(0.9, 0.5)]).problem(), None);
        for (curve, expected) in [
            (vec![point(0.1, 1.5)], "coverage 1.5 at point 0"),
            (vec![point(0.1, 1.0), point(f32::NAN, 0.9)], "at_least NaN at point 1"),
            (vec![point(0.1, 1.0), point(0.1, 0.9)], "low to high at point 1"),
            (vec![point(0.1, 0.9), point(0.2, 0.8), point(0.3, 0.85)], "low to high at point 2"),
        ] {
            let (field, problem) = calibration(curve).problem().expect("it is wrong");
            assert_eq!(field, "calibration.score_curve");
            assert!(problem.contains(expected), "{problem}");
        }
        let wrong = Calibration { ece_held_out: 2.0, ..calibration(Vec::new()) };
        assert_eq!(wrong.problem().map(|(field, _)| field).as_deref(), Some("calibration.ece_held_out"));
    }
}
