//! The laws of windows, over random logs, workers, deaths and orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use schemas::event::Origin;

use super::workers::{Step, Told, World, nth, steps};
use crate::board::Clock;
use crate::partition::tests::{EPOCH_MS, Observed, Record, Slow, config, log, observe};
use crate::replay::WindowReplay;
use crate::settings::WindowConfig;
use crate::window::Window;

fn outcomes(logs: Vec<Vec<Record>>) -> Vec<Vec<Observed>> {
    logs.into_iter().map(|log| log.into_iter().map(observe).collect()).collect()
}

fn logs() -> impl Strategy<Value = Vec<Vec<Observed>>> {
    prop::collection::vec(log(0..30), 1..4).prop_map(outcomes)
}

/// Every report of one pass in memory, partitions by turns.
fn one_pass(config: &Arc<WindowConfig>, logs: &[Vec<Observed>]) -> BTreeMap<(Window, i32), Told> {
    let expected = (0..logs.len()).map(nth).collect();
    let mut replay = WindowReplay::new(Arc::clone(config), BTreeMap::new(), expected);
    let mut reports = BTreeMap::new();
    let mut drain = |replay: &mut WindowReplay| {
        while let Some(merged) = replay.next_window().expect("what was written") {
            let before = reports.insert((merged.window, merged.revision), Told::from(&merged));
            assert_eq!(before, None, "a revision closes once");
            replay.close(&merged, BTreeSet::new()).expect("what was written");
        }
    };
    for offset in 0..logs.iter().map(Vec::len).max().unwrap_or(0) {
        for (partition, log) in logs.iter().enumerate().filter(|(_, log)| offset < log.len()) {
            let name = nth(partition);
            let origin = Origin { topic: name.topic, partition: name.partition, offset: offset as i64 };
            if replay.observe(&origin, &log[offset]).expect("what was written") {
                drain(&mut replay);
            }
        }
    }
    replay.end().expect("what was written");
    drain(&mut replay);
    reports
}

fn slow(config: &WindowConfig, logs: &[Vec<Observed>]) -> Slow {
    let mut slow = Slow::default();
    logs.iter().for_each(|log| slow.count(config, log));
    slow
}

fn newest(reports: &BTreeMap<(Window, i32), Told>) -> BTreeMap<Window, Vec<u8>> {
    reports.iter().map(|((window, _), told)| (*window, told.counts.clone())).collect()
}

/// Windows with events; windows with refusals only are recorded, too.
fn counted(windows: BTreeMap<Window, Vec<u8>>) -> BTreeMap<Window, Vec<u8>> {
    let nothing = crate::counts::WindowCounts::default().encode();
    windows.into_iter().filter(|(_, counts)| *counts != nothing).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// (a) and (b): any number of workers, any interleaving, deaths and lost checkpoints give the reports of one pass,
    /// revision by revision, to the byte.
    #[test]
    fn workers_and_deaths_change_nothing(logs in logs(), steps in steps(false)) {
        let config = config(|_| ());
        let mut world = World::new(&config, &logs);
        steps.into_iter().for_each(|step| world.take(step));
        world.finish();
        prop_assert_eq!(world.rewritten, 0, "a report is written again with the same bytes");
        prop_assert_eq!(&world.reports, &one_pass(&config, &logs));
    }

    /// With idle partitions the first reports depend on when that was. The last ones do not.
    #[test]
    fn idle_partitions_change_no_final_window(logs in logs(), steps in steps(true), by_clock in any::<bool>()) {
        let config = config(|_| ());
        let mut world = World::new(&config, &logs);
        world.clock = Clock::At(if by_clock { EPOCH_MS + 10_000 } else { i64::MIN });
        steps.into_iter().for_each(|step| world.take(step));
        world.finish();
        prop_assert_eq!(newest(&world.reports), newest(&one_pass(&config, &logs)));
        prop_assert_eq!(world.board.unreported(), 0);
    }

    /// (c): within the lateness, final windows do not depend on the order.
    #[test]
    fn order_within_the_lateness_changes_no_final_window(records in log(1..40), seed in any::<u64>()) {
        let config = config(|settings| settings.lateness_ms = 600_000);
        let in_order: Vec<Observed> = records.iter().copied().map(observe).filter(Result::is_ok).collect();
        let mut shuffled = in_order.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let (one, other) = (one_pass(&config, &[in_order]), one_pass(&config, &[shuffled]));
        prop_assert_eq!(newest(&one), newest(&other));
    }

    /// (d), and conservation: final windows are what one pass without folding counts, and every record is in one place
    /// per length of windows.
    #[test]
    fn every_record_is_counted_once(logs in logs(), steps in steps(true)) {
        let config = config(|_| ());
        let slow = slow(&config, &logs);
        let mut world = World::new(&config, &logs);
        steps.into_iter().for_each(|step| world.take(step));
        world.finish();
        let expected = slow.all.iter().map(|(window, counts)| (*window, counts.encode())).collect();
        prop_assert_eq!(counted(newest(&world.reports)), counted(expected));

        let progress: Vec<_> = (0..logs.len()).map(|partition| world.progress(partition)).collect();
        let unplaced: u64 = progress.iter().flat_map(|progress| progress.unplaced.refused.values()).sum();
        for &granularity in config.granularities() {
            let told = || world.newest().into_iter().filter(|(window, _)| window.granularity == granularity);
            let records: u64 = slow.all.iter().filter(|(window, _)| window.granularity == granularity)
                .map(|(_, counts)| counts.records()).sum();
            let dropped: u64 = told().map(|(_, told)| told.dropped).sum();
            let refused: u64 = told().map(|(_, told)| told.refused).sum();
            prop_assert_eq!(dropped, slow.dropped.get(&granularity).copied().unwrap_or_default(), "{}", granularity);
            prop_assert_eq!(records + dropped, slow.accepted, "{}", granularity);
            prop_assert_eq!(refused + unplaced, slow.refused, "{}", granularity);
        }
    }

    /// Revision 0 is what was on time.
    #[test]
    fn the_first_report_is_what_was_on_time(logs in logs()) {
        let config = config(|_| ());
        let slow = slow(&config, &logs);
        let first = one_pass(&config, &logs).into_iter().filter(|((_, revision), _)| *revision == 0);
        let first: BTreeMap<Window, Vec<u8>> = first.map(|((window, _), told)| (window, told.counts)).collect();
        for (window, counts) in &slow.on_time {
            prop_assert_eq!(first.get(window), Some(&counts.encode()), "{:?}", window);
        }
    }

    /// What the topic holds is bounded by the open windows: all else is removed.
    #[test]
    fn final_windows_leave_the_topic(logs in logs(), steps in steps(false)) {
        let config = config(|_| ());
        let mut world = World::new(&config, &logs);
        steps.into_iter().for_each(|step| world.take(step));
        world.finish();
        let least = (0..logs.len()).map(|partition| world.progress(partition).watermark_ms).min().flatten();
        let latest_ms = |window: &Window| window.end_ms() + config.lateness_ms();
        let over = |window: &Window| least.is_some_and(|least| least >= latest_ms(window));
        for (window, _) in world.newest().into_iter().filter(|(window, _)| over(window)) {
            prop_assert!(world.board.reported(window).is_some_and(|closed| closed.is_final), "{:?}", window);
            let infix = format!("/{}/{}/", window.granularity, window.start_ms);
            prop_assert!(!world.topic.keys().any(|key| key.starts_with("partial/") && key.contains(&infix)));
        }
    }
}

#[test]
fn a_topic_of_one_window_needs_its_partials_until_it_is_final() {
    let config = config(|_| ());
    let logs = outcomes(vec![vec![Record::Event { at_ms: 0, label: 1 }, Record::Event { at_ms: 20_000, label: 1 }]]);
    let mut world = World::new(&config, &logs);
    for step in [Step::Read { partition: 0, records: 1 }, Step::Save { worker: 0, lost: false }] {
        world.take(step);
    }
    assert_eq!(world.partials(), 1, "the shortest window alone, until it is folded");
    world.finish();
    assert_eq!(world.partials(), 1, "that of the last event, still open to a later start");
}
