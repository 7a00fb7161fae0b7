//! A month in which nothing changes: alarms of hourly and daily windows against the budget.
//!
//! Events of an hour are drawn from a pool of labelled events. Counts add up, so a window is not counted event by event:
//! how often each event of the pool was drawn is written in binary, and the counts are doubled once a digit. The result
//! is what counting a million events one by one would give.

use std::error::Error;
use std::path::Path;

use drift::compare::Comparer;
use drift::counts::WindowCounts;
use drift::observation::Observation;
use drift::reference::{ClosedWindows, Past};
use drift::verdict::settings::VerdictConfig;
use drift::window::{Granularity, Window};
use fastrand::Rng;

use super::judge::{self, Fallible};

const DAYS: i64 = 30;
const DAY_MS: i64 = 24 * judge::HOUR_MS;
/// Hours of events in the reference.
const REFERENCE_HOURS: usize = 24;

/// What became of the windows of one length.
#[derive(Default)]
struct Tally {
    windows: usize,
    drift: usize,
    /// Sure, but small or not persistent.
    warned: usize,
}

/// Prints a row for each number of events per hour.
///
/// # Errors
/// When the events of `bench/drift/events.py` are missing.
pub fn run(folder: &Path, per_hour: &[usize], seed: u64, verdict: &VerdictConfig) -> Fallible<()> {
    let pool = judge::events(&folder.join("nvd_cve.events.jsonl"), |_| ())?;
    println!("{DAYS} days, budget 1 per week: {:.1} false alarms would be within it\n", DAYS as f64 / 7.0);
    println!(
        "| events per hour | hourly windows | drift | sure, not drift | daily windows | drift | sure, not drift |"
    );
    println!("|---|---|---|---|---|---|---|");
    for events in per_hour {
        let [hours, days] = month(&pool, *events, seed, verdict)?;
        let cells = [hours, days].map(|tally| format!(" {} | {} | {} |", tally.windows, tally.drift, tally.warned));
        println!("| {events} |{}", cells.concat());
    }
    Ok(())
}

fn month(pool: &[Observation], per_hour: usize, seed: u64, verdict: &VerdictConfig) -> Fallible<[Tally; 2]> {
    let mut random = Rng::with_seed(seed);
    let hour = judge::hour();
    let day = Granularity::from_millis(DAY_MS).ok_or("a day is whole seconds")?;
    let reference = draw(pool, per_hour * REFERENCE_HOURS, &mut random);
    let comparer = judge::comparer(verdict.clone(), &[hour, day], reference)?;
    let mut history = ClosedWindows::default();
    let mut tallies = [Tally::default(), Tally::default()];
    let mut of_day = WindowCounts::default();
    for place in 0..DAYS * 24 {
        let window = hour.window(place * judge::HOUR_MS);
        let counts = draw(pool, per_hour, &mut random);
        of_day.merge(&counts);
        tallies[0].note(&comparer, window, counts, &mut history);
        if window.end_ms() % DAY_MS == 0 {
            tallies[1].note(&comparer, day.window(window.start_ms), std::mem::take(&mut of_day), &mut history);
        }
    }
    Ok(tallies)
}

impl Tally {
    fn note(&mut self, comparer: &Comparer, window: Window, counts: WindowCounts, history: &mut ClosedWindows) {
        let judgement = judge::judge(comparer, window, counts, history);
        history.insert(window, Past { counts: None, flags: judgement.flags });
        self.windows += 1;
        if !judgement.drifted.is_empty() {
            self.drift += 1;
        } else if !judgement.sure.is_empty() {
            self.warned += 1;
        }
    }
}

/// The counts of `events` events, each drawn from the pool with equal probability.
fn draw(pool: &[Observation], events: usize, random: &mut Rng) -> WindowCounts {
    let mut times = vec![0_u32; pool.len()];
    (0..events).for_each(|_| times[random.usize(..pool.len())] += 1);
    let digits = times.iter().map(|times| u32::BITS - times.leading_zeros()).max().unwrap_or_default();
    let mut counts = WindowCounts::default();
    for digit in (0..digits).rev() {
        let half = counts.clone();
        counts.merge(&half);
        for (event, times) in pool.iter().zip(&times) {
            if times >> digit & 1 == 1 {
                counts.observe(event);
            }
        }
    }
    counts
}

/// Holds `draw` against counting one by one; the benchmark would mean nothing if they differed.
///
/// # Errors
/// When they do.
pub fn check(folder: &Path) -> Result<(), Box<dyn Error>> {
    let pool = judge::events(&folder.join("nvd_cve.events.jsonl"), |_| ())?;
    let (mut one, mut other) = (Rng::with_seed(3), Rng::with_seed(3));
    let fast = draw(&pool, 20_000, &mut one);
    let slow = judge::count((0..20_000).map(|_| &pool[other.usize(..pool.len())]));
    if fast.encode() == slow.encode() { Ok(()) } else { Err("drawn counts differ from counted ones".into()) }
}
