//! The window's correction, and from it the verdict, the sentence and the row of every draft.

use schemas::report::{DriftRow, Verdict, WordRow};
use statistics::multiple::{benjamini_hochberg, simes};

use super::draft::{Draft, Role, signed};
use super::features::{Answer, Content, decisive_test};
use super::row::{Frame, Ruling, Subject};
use super::words::Moved;
use crate::counts::WindowCounts;
use crate::feature::Feature;
use crate::reference::{ClosedWindows, Flags, Missing};
use crate::slice::Slice;
use crate::verdict::settings::VerdictConfig;
use crate::verdict::{Evidence, decide};
use crate::window::Window;

/// What a comparison comes to.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) drift: Vec<DriftRow>,
    pub(super) words: Vec<WordRow>,
    pub(super) flags: Flags,
}

/// Names a finding from window to window: the feature, behind its slice where there is one.
pub fn finding_key(slice: &Slice, feature: &Feature) -> String {
    match slice {
        Slice::All => feature.name().into_owned(),
        Slice::Of { .. } => format!("{slice}/{}", feature.name()),
    }
}

/// What verdicts rest on besides the tests.
pub(super) struct Bench<'a> {
    pub(super) frame: &'a Frame,
    pub(super) verdict: &'a VerdictConfig,
    pub(super) alpha: f64,
    pub(super) threshold_source: String,
    pub(super) window: Window,
    pub(super) history: &'a ClosedWindows,
}

impl Bench<'_> {
    /// The rows of all answers, in their order.
    pub(super) fn rule(&self, answers: Vec<Answer>) -> Rows {
        let mut q_values = q_values(&answers).into_iter();
        let mut rows = Rows::default();
        for answer in answers {
            match answer.content {
                Content::Untested { verdict, reason } => {
                    rows.drift.push(untested(self.frame, &answer.subject, verdict, reason));
                }
                Content::Tested { drafts, words } => {
                    let q_value = drafts.iter().find_map(p_value_of_decision).and_then(|_| q_values.next());
                    let whole = self.rule_on(&mut rows, &answer.subject, drafts, q_value);
                    rows.words.extend(words.iter().map(|word| self.word(&answer.subject, word, whole)));
                }
            }
        }
        rows
    }

    /// Adds the rows of one answer; returns the verdict of the one that decides.
    fn rule_on(&self, rows: &mut Rows, subject: &Subject, drafts: Vec<Draft>, q_value: Option<f64>) -> Verdict {
        let parts: Vec<f64> =
            drafts.iter().filter(|draft| draft.role == Role::Part).filter_map(|part| part.p_value).collect();
        let mut of_parts = benjamini_hochberg(&parts, parts.len()).into_iter();
        let mut whole = Verdict::NotApplicable;
        let decider = drafts.iter().find(|draft| draft.role == Role::Decides).map(|draft| draft.test);
        for draft in drafts {
            let ruling = match draft.role {
                _ if draft.is_error => self.error(&draft),
                Role::Decides => self.decision(subject, &draft, q_value, &mut rows.flags),
                Role::Part => self.part(&draft, whole, draft.p_value.and_then(|_| of_parts.next())),
                Role::Describes => describing(&draft, decider),
            };
            if draft.role == Role::Decides {
                whole = ruling.verdict;
            }
            rows.drift.push(self.frame.row(subject, draft, ruling));
        }
        whole
    }

    fn decision(&self, subject: &Subject, draft: &Draft, q_value: Option<f64>, flags: &mut Flags) -> Ruling {
        // A p-value that is no number never got a q-value.
        let Some(q_value) = q_value else { return self.error(draft) };
        let key = finding_key(&subject.slice, &subject.feature);
        let before = self.verdict.persistence_windows.saturating_sub(1);
        let evidence = Evidence {
            q_value,
            p_min_effect: draft.least.map_or(1.0, |least| least.p_value),
            flagged_before: self.history.flagged_before(self.window, before, &key),
        };
        let decision = decide(self.verdict, self.alpha, evidence);
        if decision.is_flagged {
            flags.insert(key);
        }
        let mut reason = draft.sentence.clone();
        if let Slice::Of { key, value } = &subject.slice {
            reason = format!("where {key} is {value}: {reason}");
        }
        if let Some(reservation) = decision.reservation {
            reason = format!("{reason}; {reservation}");
        } else if decision.verdict == Verdict::Ok {
            reason = format!("{reason}; this can be chance");
        }
        Ruling { verdict: decision.verdict, reason, q_value: Some(q_value), threshold: Some(self.threshold()) }
    }

    fn part(&self, draft: &Draft, whole: Verdict, q_value: Option<f64>) -> Ruling {
        let q = q_value.unwrap_or(1.0);
        let p_least = draft.least.map_or(1.0, |least| least.p_value);
        let evidence = Evidence { q_value: q, p_min_effect: p_least, flagged_before: self.verdict.persistence_flagged };
        let verdict = decide(self.verdict, self.alpha, evidence).verdict.min(whole);
        Ruling { verdict, reason: draft.sentence.clone(), q_value, threshold: Some(self.threshold()) }
    }

    fn error(&self, draft: &Draft) -> Ruling {
        let reason = if draft.is_error { draft.sentence.clone() } else { format!("{} gave no p-value", draft.test) };
        Ruling { verdict: Verdict::Error, reason, q_value: None, threshold: None }
    }

    fn threshold(&self) -> (f64, String) {
        (self.alpha, self.threshold_source.clone())
    }

    fn word(&self, subject: &Subject, word: &Moved, whole: Verdict) -> WordRow {
        let (texts_ref, texts_cur) = word.counts();
        WordRow {
            key: self.frame.key.clone(),
            reference_id: self.frame.reference_id.clone(),
            word: word.word.clone(),
            bucket: i32::from(word.bucket),
            texts_ref,
            n_ref: signed(subject.n_ref),
            texts_cur,
            n_cur: signed(subject.n_cur),
            p_value: word.p_value,
            q_value: word.q_value,
            effect: word.change(subject.n_ref, subject.n_cur),
            verdict: word.verdict(whole, self.alpha, self.verdict.large_level),
        }
    }
}

/// The q-value of each answer that is decided by a p-value, in their order.
///
/// The scores of the single labels are one family: they enter the window's correction together, by Simes' p-value, and
/// each has the larger of the family's q-value and its own within the family. Entering one by one, the 77 of a large
/// model would ask five times the evidence of everything else.
fn q_values(answers: &[Answer]) -> Vec<f64> {
    let decided = answers.iter().filter_map(|answer| match &answer.content {
        Content::Tested { drafts, .. } => {
            let is_class = matches!(answer.subject.feature, Feature::ClassScore(_));
            drafts.iter().find_map(p_value_of_decision).map(|p_value| (is_class, p_value))
        }
        Content::Untested { .. } => None,
    });
    let decided: Vec<(bool, f64)> = decided.collect();
    let of = |class: bool| decided.iter().filter(move |(is_class, _)| *is_class == class).map(|(_, p_value)| *p_value);
    let (classes, mut entered): (Vec<f64>, Vec<f64>) = (of(true).collect(), of(false).collect());
    if !classes.is_empty() {
        entered.push(simes(&classes, classes.len()));
    }
    let mut corrected = benjamini_hochberg(&entered, entered.len());
    let family = if classes.is_empty() { 1.0 } else { corrected.pop().unwrap_or(1.0) };
    let mut of_classes = benjamini_hochberg(&classes, classes.len()).into_iter().map(|q_value| q_value.max(family));
    let mut of_others = corrected.into_iter();
    let next = |(is_class, _): &(bool, f64)| if *is_class { of_classes.next() } else { of_others.next() };
    decided.iter().map(next).map(|q_value| q_value.unwrap_or(1.0)).collect()
}

/// The p-value that enters the window's correction, of the row that decides.
fn p_value_of_decision(draft: &Draft) -> Option<f64> {
    draft.p_value.filter(|p_value| draft.role == Role::Decides && !draft.is_error && (0.0..=1.0).contains(p_value))
}

fn describing(draft: &Draft, decider: Option<&str>) -> Ruling {
    let reason = match (draft.sentence.is_empty(), decider) {
        (false, _) => format!("{}; described, not tested", draft.sentence),
        (true, Some(decider)) => format!("describes the change; {decider} decides"),
        (true, None) => "describes the change".to_owned(),
    };
    Ruling { verdict: Verdict::NotApplicable, reason, q_value: None, threshold: None }
}

fn untested(frame: &Frame, subject: &Subject, verdict: Verdict, reason: String) -> DriftRow {
    let (test, variant) = decisive_test(subject.feature.kind());
    let draft = Draft::new(Role::Decides, test, variant);
    frame.row(subject, draft, Ruling { verdict, reason, q_value: None, threshold: None })
}

/// A row for each feature of all events, where there is nothing to compare with.
pub(super) fn without_reference(frame: &Frame, counts: &WindowCounts, missing: &Missing) -> Rows {
    let row = |feature| untested(frame, &alone(counts, feature), Verdict::from(missing), missing.to_string());
    Rows { drift: counts.all().features().into_iter().map(row).collect(), ..Rows::default() }
}

/// One row, where the reference is that of another model.
pub(super) fn refused(frame: &Frame, counts: &WindowCounts, reason: &str) -> Rows {
    let row = untested(frame, &alone(counts, Feature::Model), Verdict::Error, reason.to_owned());
    Rows { drift: vec![row], ..Rows::default() }
}

/// A feature of all events of a window that is compared with nothing.
fn alone(counts: &WindowCounts, feature: Feature) -> Subject {
    let (n_missing, n_cur) =
        (counts.all().missing(&feature), counts.all().view(&feature).map_or(0, |view| view.total()));
    Subject { slice: Slice::All, feature, n_ref: 0, n_cur, n_missing, design_effect: 1.0 }
}
