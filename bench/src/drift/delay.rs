//! Windows until a change is called drift, and alarms before it: the default settings, persistence included.
//!
//! Windows are drawn with replacement from the events that `bench/drift/events.py` labelled, the reference from the same
//! events, so that nothing differs before the change. The change then stays.

use std::path::Path;

use drift::observation::Observation;
use drift::reference::{ClosedWindows, Past};
use drift::verdict::settings::VerdictConfig;
use fastrand::Rng;
use serde_json::Value;

use super::judge::{self, Fallible};

/// Events of the reference.
const REFERENCE: usize = 5000;
/// Windows before the change.
const QUIET: i64 = 6;
/// Windows after it; a change not found until then is missed.
const WINDOWS: i64 = 24;
/// Events per window.
const SIZES: [usize; 2] = [500, 5000];

/// A change, and the events that windows are drawn from before and after it.
struct Change<'a> {
    title: String,
    before: &'a [Observation],
    /// Drawn instead with this probability.
    instead: Vec<&'a Observation>,
    probability: f64,
}

/// What one run of windows came to.
struct Run {
    /// Windows from the change to the first one called drift; 1 is the first changed window.
    delay: Option<i64>,
    alarms_before: usize,
}

/// Prints the table for `runs` repetitions of every change.
///
/// # Errors
/// When a file of `events.py` is missing.
pub fn run(folder: &Path, runs: u64, verdict: &VerdictConfig) -> Fallible<()> {
    let clinc = folder.join("clinc150.events.jsonl");
    let is_foreign = |event: &Observation| event.id().is_some_and(|id| id.starts_with("oos"));
    let (foreign, inside): (Vec<_>, Vec<_>) = judge::events(&clinc, |_| ())?.into_iter().partition(is_foreign);
    let unsure: Vec<_> = judge::events(&clinc, less_sure)?.into_iter().filter(|event| !is_foreign(event)).collect();
    let advisories = judge::events(&folder.join("nvd_cve.events.jsonl"), |_| ())?;
    let class = class_near(&advisories, 0.04).ok_or("the advisories have labels")?;
    let share = share_of(&advisories, &class);
    let mut changes = vec![Change {
        title: format!("nvd_cve: {class} triples from {:.1} %", 100.0 * share),
        before: &advisories,
        instead: advisories.iter().filter(|event| event.label() == Some(&class)).collect(),
        // p of the drawn ones are of the class in any case: share (1 - p) + p = 3 share.
        probability: 2.0 * share / (1.0 - share),
    }];
    for probability in [0.05, 0.1] {
        let title = format!("clinc150: a new topic takes {:.0} %", 100.0 * probability);
        changes.push(Change { title, before: &inside, instead: foreign.iter().collect(), probability });
    }
    let title = "clinc150: every score falls by a tenth".to_owned();
    changes.push(Change { title, before: &inside, instead: unsure.iter().collect(), probability: 1.0 });
    println!(
        "| change | events per window | runs | found in {WINDOWS} windows | delay, windows: median | 90 % | false alarms before |"
    );
    println!("|---|---|---|---|---|---|---|");
    for change in &changes {
        for size in SIZES {
            report(change, size, runs, verdict)?;
        }
    }
    Ok(())
}

fn report(change: &Change<'_>, size: usize, runs: u64, verdict: &VerdictConfig) -> Fallible<()> {
    let outcomes = (0..runs).map(|seed| one(change, size, seed, verdict)).collect::<Fallible<Vec<Run>>>()?;
    let mut delays: Vec<i64> = outcomes.iter().filter_map(|run| run.delay).collect();
    delays.sort_unstable();
    // Over all runs: the missed ones are later than any.
    let quantile = |share: usize| {
        let place = (outcomes.len() * share).div_ceil(100).saturating_sub(1);
        delays.get(place).map_or_else(|| format!("> {WINDOWS}"), i64::to_string)
    };
    let before: usize = outcomes.iter().map(|run| run.alarms_before).sum();
    println!(
        "| {} | {size} | {runs} | {:.1} % | {} | {} | {before} of {} |",
        change.title,
        100.0 * delays.len() as f64 / outcomes.len() as f64,
        quantile(50),
        quantile(90),
        i64::try_from(outcomes.len())? * QUIET,
    );
    Ok(())
}

fn one(change: &Change<'_>, size: usize, seed: u64, verdict: &VerdictConfig) -> Fallible<Run> {
    let mut random = Rng::with_seed(seed);
    let hour = judge::hour();
    let reference = judge::count((0..REFERENCE).map(|_| &change.before[random.usize(..change.before.len())]));
    let comparer = judge::comparer(verdict.clone(), &[hour], reference)?;
    let mut history = ClosedWindows::default();
    let mut outcome = Run { delay: None, alarms_before: 0 };
    for place in 0..QUIET + WINDOWS {
        let is_changed = place >= QUIET;
        let draw = |random: &mut Rng| match is_changed && random.f64() < change.probability {
            true => change.instead[random.usize(..change.instead.len())],
            false => &change.before[random.usize(..change.before.len())],
        };
        let counts = judge::count((0..size).map(|_| draw(&mut random)));
        let window = hour.window(place * judge::HOUR_MS);
        let judgement = judge::judge(&comparer, window, counts, &history);
        history.insert(window, Past { counts: None, flags: judgement.flags });
        match (judgement.drifted.is_empty(), is_changed) {
            (true, _) => {}
            (false, false) => outcome.alarms_before += 1,
            (false, true) => {
                outcome.delay = Some(place - QUIET + 1);
                break;
            }
        }
    }
    Ok(outcome)
}

/// Every score loses a tenth of itself, and the margin as much.
fn less_sure(event: &mut Value) {
    let Some(score) = event["score"].as_f64() else { return };
    let loss = score / 10.0;
    let margin = event["signals"]["margin"].as_f64().unwrap_or_default();
    event["score"] = Value::from(score - loss);
    event["labels"][0]["score"] = Value::from(score - loss);
    event["signals"]["margin"] = Value::from((margin - loss).max(0.0));
}

fn share_of(events: &[Observation], label: &str) -> f64 {
    events.iter().filter(|event| event.label() == Some(label)).count() as f64 / events.len() as f64
}

/// The label whose share is nearest to this one.
fn class_near(events: &[Observation], share: f64) -> Option<String> {
    let labels: std::collections::BTreeSet<&str> = events.iter().filter_map(Observation::label).collect();
    let distance = |label: &str| (share_of(events, label) - share).abs();
    labels.into_iter().min_by(|one, other| distance(one).total_cmp(&distance(other))).map(str::to_owned)
}
