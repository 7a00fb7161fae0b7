//! The board by name: when windows close, what they hold, and what is removed.

mod laws;
mod workers;

use std::collections::{BTreeMap, BTreeSet};

use self::workers::World;
use super::*;
use crate::partition::tests::{EPOCH_MS, Observed, Record, config, observe, source, window};
use crate::state::Entry;

fn events(times_ms: &[i64]) -> Vec<Observed> {
    times_ms.iter().map(|&at_ms| observe(Record::Event { at_ms, label: 1 })).collect()
}

/// Reads this many records of a partition.
fn read(world: &mut World<'_>, partition: usize, records: usize) {
    world.read(partition, records);
}

fn idle(world: &mut World<'_>, partition: usize) {
    world.take(workers::Step::Idle { partition });
}

/// Saves and reports, and tells which windows of 1 s were reported: start in s, revision, records, final.
fn report(world: &mut World<'_>) -> Vec<(i64, i32, u64, bool)> {
    let before = world.reports.clone();
    // The first has the partitions' news, the others what comes of it.
    (0..4).for_each(|_| world.save(0));
    let second = window("1s", 0).granularity;
    let new = world.reports.iter().filter(|(name, _)| !before.contains_key(name));
    let of_second = new.filter(|((window, _), _)| window.granularity == second);
    let records = |counts: &[u8]| crate::counts::WindowCounts::decode(counts).expect("what was encoded").records();
    let line = |((window, revision), told): (&(Window, i32), &workers::Told)| {
        ((window.start_ms - EPOCH_MS) / 1000, *revision, records(&told.counts), told.is_final)
    };
    of_second.map(line).collect()
}

#[test]
fn the_slowest_partition_holds_windows_back() {
    let config = config(|_| ());
    let logs = [events(&[0, 5000]), events(&[100, 1600, 5000])];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 2);
    read(&mut world, 1, 1);
    assert_eq!(report(&mut world), []);
    read(&mut world, 1, 1);
    assert_eq!(report(&mut world), [(0, 0, 2, false)]);
    read(&mut world, 1, 1);
    assert_eq!(report(&mut world), [(1, 0, 1, false)], "and nothing more of the first one: no late record came");
    assert!(world.board.reported(window("1s", 0)).is_some_and(|closed| closed.is_final));
}

#[test]
fn when_all_partitions_are_idle_the_clock_closes_windows() {
    let config = config(|_| ());
    let logs = [events(&[0, 2500]), events(&[200])];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 2);
    read(&mut world, 1, 1);
    idle(&mut world, 0);
    idle(&mut world, 1);
    assert_eq!(report(&mut world), [(0, 0, 2, false)], "up to the greatest watermark");
    world.clock = Clock::At(EPOCH_MS + 3999);
    assert_eq!(report(&mut world), [], "idle_ms have not passed since the end of the next window");
    world.clock = Clock::At(EPOCH_MS + 4000);
    assert_eq!(report(&mut world), [(2, 0, 1, false)]);
}

#[test]
fn without_partitions_no_window_closes() {
    let config = config(|_| ());
    let logs = [events(&[0, 9000]), events(&[])];
    let mut world = World::new(&config, &logs);
    world.expected.clear();
    read(&mut world, 0, 2);
    assert_eq!(report(&mut world), [], "a worker beyond the number of partitions has no watermark, not an endless one");
    assert_eq!(world.board.frontier(&world.expected, Clock::At(i64::MAX)), None);
    world.expected = BTreeSet::from([source(0), source(1)]);
    assert_eq!(report(&mut world), [], "nor has a partition that nobody has read");
}

#[test]
fn an_empty_partition_holds_nothing_back_once_it_is_idle() {
    let config = config(|_| ());
    let logs = [events(&[0, 1500, 2500]), events(&[])];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 2);
    read(&mut world, 1, 1);
    assert_eq!(report(&mut world), []);
    idle(&mut world, 1);
    assert_eq!(report(&mut world), [(0, 0, 1, false)]);
    read(&mut world, 0, 1);
    assert_eq!(report(&mut world), [(1, 0, 1, false)]);
}

#[test]
fn idle_marks_of_a_dead_owner_are_not_believed_at_the_start() {
    let config = config(|_| ());
    let logs = [events(&[0, 5000]), events(&[100, 5000])];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 2);
    read(&mut world, 1, 1);
    idle(&mut world, 1);
    world.clock = Clock::Starting;
    assert_eq!(report(&mut world), [], "its next owner may have much to read");
    world.clock = Clock::At(i64::MIN);
    assert_eq!(report(&mut world), [(0, 0, 2, false)]);
}

#[test]
fn a_partition_that_wakes_makes_a_new_revision() {
    let config = config(|_| ());
    let logs = [events(&[0, 5000]), events(&[100, 200, 300, 6000])];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 2);
    read(&mut world, 1, 1);
    idle(&mut world, 1);
    assert_eq!(report(&mut world), [(0, 0, 2, false)]);
    read(&mut world, 1, 1);
    assert_eq!(report(&mut world), [], "awake, it holds the windows back again");
    idle(&mut world, 1);
    assert_eq!(report(&mut world), [(0, 1, 3, false)], "it may add to the window yet");
    read(&mut world, 1, 2);
    assert_eq!(report(&mut world), [(0, 2, 4, true)]);
    assert_eq!(world.board.unreported(), 0);
}

#[test]
fn a_new_partition_adds_to_windows_that_closed() {
    let config = config(|_| ());
    let logs = [events(&[0, 1600, 2600]), events(&[100, 7000])];
    let mut world = World::new(&config, &logs);
    world.expected.remove(&source(1));
    read(&mut world, 0, 2);
    world.save(0);
    assert_eq!(world.reports.len(), 0, "it saved before it reported");
    assert_eq!(report(&mut world), [(0, 0, 1, false)]);
    world.expected.insert(source(1));
    read(&mut world, 0, 1);
    read(&mut world, 1, 1);
    assert_eq!(report(&mut world), []);
    read(&mut world, 1, 1);
    assert_eq!(report(&mut world), [(1, 0, 1, false)]);
    world.finish();
    let last = world.newest()[&window("1s", 0)].clone();
    assert_eq!(crate::counts::WindowCounts::decode(&last.counts).expect("what was encoded").records(), 2);
}

#[test]
fn a_window_of_late_records_alone_comes_when_its_lateness_is_over() {
    let config = config(|_| ());
    let logs = [events(&[0, 2500, 1100, 3500, 3600])];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 3);
    assert_eq!(report(&mut world), [(0, 0, 1, false)]);
    read(&mut world, 0, 1);
    assert_eq!(report(&mut world), [(2, 0, 1, false)]);
    let late = events(&[0, 2500, 1100, 4500]);
    let logs = [late];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 4);
    assert_eq!(report(&mut world), [(0, 0, 1, false), (1, 0, 1, true), (2, 0, 1, false)]);
}

#[test]
fn what_wakes_after_the_retention_is_counted_and_not_reported() {
    let config = config(|settings| settings.retention_ms = 1000);
    let logs = [events(&[0, 9000]), events(&[100, 200, 300])];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 2);
    read(&mut world, 1, 1);
    idle(&mut world, 1);
    assert_eq!(report(&mut world), [(0, 0, 2, false)]);
    assert!(world.board.reported(window("1s", 0)).is_some_and(|closed| closed.is_final));
    read(&mut world, 1, 2);
    assert_eq!(report(&mut world), []);
    assert_eq!(world.board.unreported(), 2, "two records more, in the shortest window");
}

#[test]
fn the_end_closes_every_window_and_a_later_start_goes_on() {
    let config = config(|_| ());
    let logs = [events(&[0, 1700, 900, 1800])];
    let mut world = World::new(&config, &logs);
    read(&mut world, 0, 3);
    world.clock = Clock::Ended;
    assert_eq!(report(&mut world), [(0, 0, 1, false), (0, 1, 2, true), (1, 0, 1, true)]);
    world.clock = Clock::At(i64::MIN);
    read(&mut world, 0, 1);
    world.clock = Clock::Ended;
    assert_eq!(report(&mut world), [(1, 1, 2, true)], "the state was kept");
}

#[test]
fn a_partial_waits_for_the_progress_that_covers_it() {
    let config = config(|_| ());
    let mut state = crate::partition::PartitionState::new(Arc::clone(&config), source(0));
    let mut board = Board::new(Arc::clone(&config), BTreeMap::new());
    let expected = BTreeSet::from([source(0)]);
    let mut due = |entries: &[Entry]| {
        for Entry { key, value } in entries {
            board.apply(key.to_string().as_bytes(), value.clone().map(Arc::<[u8]>::from)).expect("what was written");
        }
        let frontier = board.frontier(&expected, Clock::Ended)?;
        board.due(&frontier).ok()
    };
    for (offset, outcome) in events(&[0, 3000]).iter().enumerate() {
        state.observe(offset as i64, outcome);
    }
    let entries = state.checkpoint();
    let (progress, partials) = entries.split_last().expect("both");
    assert_eq!(due(partials), None);
    let windows = due(std::slice::from_ref(progress)).expect("a frontier").len();
    assert_eq!(windows, 4, "two of 1 s, one of 4 s, one of 8 s");
}

#[test]
fn closed_windows_are_kept_as_long_as_they_are_needed() {
    let config = config(|_| ());
    let second = window("1s", 0).granularity;
    let logs = [events(&[0, 1000, 2000, 3000, 4000, 5000, 6000, 9000, 12_000]), events(&[0, 12_000, 12_100])];
    let mut world = World::new(&config, &logs);
    world.kept = BTreeMap::from([(second, Kept { counts_ms: 0, flags_ms: 3000 })]);
    world.expected.remove(&source(1));
    world.board = Board::new(Arc::clone(&config), world.kept.clone());
    read(&mut world, 0, 9);
    world.save(0);
    for _ in 0..3 {
        world.save(0);
    }
    let starts: Vec<i64> =
        (0..13).filter(|&start| world.board.reported(window("1s", start * 1000)).is_some()).collect();
    assert_eq!(starts, [6, 9], "three seconds before the newest");
    assert!(world.board.reported(window("1s", 6000)).is_some_and(|closed| closed.counts.is_none()), "flags alone");
    assert!(world.topic.contains_key("horizon/PT1S"));
    // An old window cannot come back as a new one: its file would be overwritten.
    world.expected.insert(source(1));
    read(&mut world, 1, 3);
    world.save(0);
    world.save(0);
    assert_eq!(world.reports.range((window("1s", 0), 0)..=(window("1s", 0), 9)).count(), 1);
    assert_eq!(world.board.unreported(), 3, "one event, for windows of three lengths");
}

#[test]
fn unreadable_state_is_an_error_that_names_the_key() {
    let config = config(|_| ());
    let mut board = Board::new(config, BTreeMap::new());
    let key = b"progress/labels/0";
    for (key, value, expected) in [
        (&b"what/is/this"[..], vec![1], "what/is/this"),
        (&key[..], vec![], "progress/labels/0"),
        (&key[..], vec![9, 0, 0, 0, 0], "format 9"),
        (&key[..], vec![1, 1, 0, 0, 0, b'x'], "progress/labels/0"),
    ] {
        let error = board.apply(key, Some(value.into())).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
}
