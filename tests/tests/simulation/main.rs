//! The real `run` and its supervisor over a broker in memory, with a fault at every call of every seam, of every kind.
//!
//! The laws, under any thread timing: each record is committed exactly once, as a label, a dead letter or a tombstone; the
//! labels of a partition keep its order; in the end each partition is committed to behind its transaction markers; it ends in
//! bounded time. A panic or an exit is followed by a new process, as in production.

mod broker;
mod faults;
mod model;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use classifier::pipeline::{Limits, Parts, Progress, Supervision, supervise};
use formats::Layout;
use kafka::batcher::BatchLimits;
use proptest::prelude::*;
use schemas::{Origin, RawEvent};
use service::stages::{Stages, Watchdog};
use sink::labels::Encoder;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, FakePublisher, FakeSource};
use crate::faults::{Faults, PLANNED_FAULTS, PlannedFault, Seam};

const PARTITIONS: i32 = 3;
const RECORDS: i64 = 8;
/// Two texts are empty, two are poison to the model.
const DEAD_LETTERS: usize = 4;
/// Records without a payload.
const TOMBSTONES: usize = 2;
/// Far beyond what a run takes; a hang fails here instead of stopping the suite.
const PATIENCE: Duration = Duration::from_secs(20);

fn records() -> Vec<Vec<RawEvent>> {
    let record = |partition: i32, offset: i64| {
        let payload = match offset % 4 {
            3 if partition == 0 => Some(Vec::new()), // a dead letter of the decoder
            2 if partition == 1 => Some(format!("{} {offset}", model::POISON).into()), // a dead letter of the model
            1 if partition == 2 => None,             // a tombstone
            _ => Some(format!("text {partition} {offset}").into_bytes()),
        };
        RawEvent {
            origin: Origin { topic: "in".into(), partition, offset },
            key: None,
            payload,
            headers: Vec::new(),
            timestamp_ms: Some(1_700_000_000_000),
        }
    };
    (0..PARTITIONS).map(|partition| (0..RECORDS).map(|offset| record(partition, offset)).collect()).collect()
}

fn process(broker: &Broker, faults: &Arc<Faults>) -> Parts<FakeSource, FakePublisher> {
    let (source, publisher) = broker.join();
    let encoder = Encoder::of("out", Layout::Merge);
    Parts { source, decoder: model::decoder(), model: model::client(broker, faults), encoder, publisher }
}

fn limits() -> Limits {
    let limit = |value: usize| value.try_into().expect("tests use positive limits");
    Limits { batch: BatchLimits { records_max: limit(5), bytes_max: limit(10_000) }, in_flight_max: limit(3) }
}

/// Starts processes until one ends well, as a supervisor of processes would.
fn until_done(broker: &Broker, faults: &Arc<Faults>) {
    let supervision = Supervision { rewinds_max: 5, backoff: Duration::from_micros(50) };
    for _start in 0..20 {
        let mut parts = process(broker, faults);
        let stop = CancellationToken::new();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            supervise(&mut parts, limits(), supervision, &Progress::default(), &stop)
        }));
        if matches!(ended, Ok(Ok(()))) {
            return;
        }
    }
    panic!("twenty processes in a row did not reach the end");
}

/// Runs one plan to its end within [`PATIENCE`]; true when a planned fault happened.
fn simulate(broker: Broker, faults: &Arc<Faults>) -> bool {
    let (tell, told) = sync_channel(1);
    let (world, plan) = (broker.clone(), Arc::clone(faults));
    let runner = thread::spawn(move || {
        until_done(&world, &plan);
        tell.send(()).expect("the test waits for this");
    });
    if told.recv_timeout(PATIENCE).is_err() {
        assert!(runner.is_finished(), "hung under {faults:?}");
        runner.join().expect("the simulation ended well");
    }
    holds(&broker, faults);
    faults.fired()
}

fn holds(broker: &Broker, faults: &Faults) {
    let state = broker.state();
    let mut seen: Vec<_> = state.labeled.iter().chain(&state.dead_letters).chain(&state.tombstones).cloned().collect();
    seen.sort();
    let every: Vec<_> = records().into_iter().flatten().map(|record| record.origin).collect();
    assert_eq!(seen, every, "each record exactly once, under {faults:?}");
    assert!(state.dead_letters.len() >= DEAD_LETTERS, "{:?} under {faults:?}", state.dead_letters);
    assert_eq!(state.tombstones.len(), TOMBSTONES, "under {faults:?}");
    assert_eq!(state.mislabeled, [], "the label of another text or the record of another event, under {faults:?}");
    for partition in 0..PARTITIONS {
        let offsets: Vec<_> = state.labeled.iter().filter(|o| o.partition == partition).map(|o| o.offset).collect();
        assert!(offsets.is_sorted(), "order of partition {partition}: {offsets:?}, under {faults:?}");
    }
}

/// A fault at call 1, then 2, ... until a run has none left, for one seam and kind.
fn every_call(seam: Seam, kind: PlannedFault) {
    for call in 1.. {
        let faults = Arc::new(Faults::at(seam, call, kind));
        let broker = Broker::new(records(), Arc::clone(&faults));
        let fired = simulate(broker.clone(), &faults);
        assert_eq!(broker.state().dead_letters.len(), DEAD_LETTERS, "one fault costs no record its label: {faults:?}");
        if !fired {
            assert!(call > 1, "{seam:?} is never called");
            return;
        }
    }
}

#[test]
fn survives_a_fault_at_every_read() {
    PLANNED_FAULTS.iter().for_each(|kind| every_call(Seam::Read, *kind));
}

#[test]
fn survives_a_fault_at_every_inference() {
    PLANNED_FAULTS.iter().for_each(|kind| every_call(Seam::Infer, *kind));
}

#[test]
fn survives_a_fault_at_every_publish() {
    PLANNED_FAULTS.iter().for_each(|kind| every_call(Seam::Publish, *kind));
}

#[test]
fn survives_a_fault_while_rewinding_from_another() {
    for kind in PLANNED_FAULTS {
        let faults =
            Arc::new(Faults::mix(vec![(Seam::Publish, 2, PlannedFault::FailsBefore), (Seam::Rewind, 1, kind)]));
        assert!(simulate(Broker::new(records(), Arc::clone(&faults)), &faults));
    }
}

fn seam() -> impl Strategy<Value = Seam> {
    prop_oneof![Just(Seam::Read), Just(Seam::Infer), Just(Seam::Publish), Just(Seam::Rewind)]
}

fn kind() -> impl Strategy<Value = PlannedFault> {
    (0..PLANNED_FAULTS.len()).prop_map(|place| PLANNED_FAULTS[place])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn survives_any_mix_of_faults(planned in prop::collection::vec((seam(), 1..12u64, kind()), 1..8)) {
        let faults = Arc::new(Faults::mix(planned));
        simulate(Broker::new(records(), Arc::clone(&faults)), &faults);
    }
}

/// The suite counts only because it sees this planted bug.
#[test]
#[should_panic(expected = "each record exactly once")]
fn notices_a_publisher_that_ignores_generations() {
    for call in 1..30 {
        let faults = Arc::new(Faults::at(Seam::Read, call, PlannedFault::Rebalance));
        simulate(Broker::new(records(), Arc::clone(&faults)).without_generation_check(), &faults);
    }
}

#[test]
#[should_panic(expected = "each record exactly once")]
fn notices_a_commit_past_an_unpublished_record() {
    for call in 1..30 {
        let faults = Arc::new(Faults::at(Seam::Publish, call, PlannedFault::Rebalance));
        simulate(Broker::new(records(), Arc::clone(&faults)).with_commits_past_unpublished_records(), &faults);
    }
}

#[test]
#[should_panic(expected = "each record exactly once")]
fn notices_a_partition_that_is_drained_before_its_last_record() {
    let faults = Arc::new(Faults::default());
    simulate(Broker::new(records(), Arc::clone(&faults)).with_partitions_drained_too_early(), &faults);
}

#[test]
#[should_panic(expected = "the label of another text")]
fn notices_answers_that_are_swapped_between_runs() {
    let faults = Arc::new(Faults::default());
    simulate(Broker::new(records(), Arc::clone(&faults)).with_swapped_answers(), &faults);
}

/// Only the encoded record says what leaves: it is held against the record that was read.
#[test]
#[should_panic(expected = "the label of another text")]
fn notices_encoded_records_that_are_swapped() {
    let faults = Arc::new(Faults::default());
    simulate(Broker::new(records(), Arc::clone(&faults)).with_swapped_records(), &faults);
}

#[test]
fn a_text_that_hangs_holds_back_its_own_partition_only() {
    let faults = Arc::new(Faults::at(Seam::Infer, 1, PlannedFault::Hangs));
    let broker = Broker::new(records(), Arc::clone(&faults));
    let gate = faults.gate.lock().expect("nobody panicked");
    let pipeline = {
        let (broker, faults) = (broker.clone(), Arc::clone(&faults));
        thread::spawn(move || {
            let mut parts = process(&broker, &faults);
            let limits = Limits { in_flight_max: 10.try_into().expect("positive"), ..limits() };
            classifier::pipeline::run(&mut parts, limits, &Progress::default(), &CancellationToken::new())
        })
    };
    let deadline = Instant::now() + PATIENCE;
    // The run that hangs has two texts at most, so at least one partition of the three is not in it.
    let is_whole = |partition: i32| broker.settled().filter(|origin| origin.partition == partition).count() == 8;
    while !(0..PARTITIONS).any(is_whole) {
        assert!(Instant::now() < deadline, "no partition is whole");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(!(0..PARTITIONS).all(is_whole), "one text hangs");
    drop(gate);
    pipeline.join().expect("no panic").expect("it only took long");
    holds(&broker, &faults);
}

#[test]
fn stops_while_idle_and_within_bounds() {
    let faults = Arc::new(Faults::default());
    let broker = Broker::new(vec![Vec::new()], Arc::clone(&faults)).never_ending();
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let (tell, told) = sync_channel(1);
    thread::spawn(move || {
        let mut parts = process(&broker, &faults);
        let supervision = Supervision { rewinds_max: 1, backoff: Duration::ZERO };
        let ended = supervise(&mut parts, limits(), supervision, &Progress::default(), &asked);
        tell.send(ended.is_ok()).expect("the test waits for this");
    });
    assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "an idle pipeline keeps running");
    stop.cancel();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(true));
}

/// The drop guard's case: the publisher dies on its only batch, nothing else ever arrives.
#[test]
fn an_idle_reader_notices_that_the_publisher_died() {
    for kind in [PlannedFault::FailsBefore, PlannedFault::Panic] {
        let faults = Arc::new(Faults::at(Seam::Publish, 1, kind));
        let one = vec![records()[2][..1].to_vec()];
        let broker = Broker::new(one, Arc::clone(&faults)).never_ending();
        let (tell, told) = sync_channel(1);
        thread::spawn(move || {
            let mut parts = process(&broker, &faults);
            let ended =
                classifier::pipeline::run(&mut parts, limits(), &Progress::default(), &CancellationToken::new());
            tell.send(ended.is_err()).expect("the test waits for this");
        });
        assert_eq!(told.recv_timeout(PATIENCE), Ok(true), "{kind:?}");
    }
}

/// Waits until the stages that hang are these.
fn await_stalls(stages: &Stages, expected: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let stalls: Vec<_> = stages.stalls().into_iter().map(|stall| stall.stage).collect();
        if stalls == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{stalls:?} hang, not {expected:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_stage_that_hangs_is_told_until_it_goes_on_and_no_record_is_lost() {
    for (seam, stage) in [(Seam::Read, "read"), (Seam::Infer, "label"), (Seam::Publish, "publish")] {
        let faults = Arc::new(Faults::at(seam, 2, PlannedFault::Hangs));
        let broker = Broker::new(records(), Arc::clone(&faults));
        let progress = Arc::new(Progress::default());
        let _watchdog =
            Watchdog::start(Arc::clone(progress.stages()), |_| Duration::from_millis(300)).expect("a thread");
        let gate = faults.gate.lock().expect("nobody panicked");
        let pipeline = {
            let (broker, faults, progress) = (broker.clone(), Arc::clone(&faults), Arc::clone(&progress));
            thread::spawn(move || {
                let mut parts = process(&broker, &faults);
                classifier::pipeline::run(&mut parts, limits(), &progress, &CancellationToken::new())
            })
        };
        await_stalls(progress.stages(), &[stage]);
        let stall = progress.stages().stalls().pop().expect("it hangs until the gate opens");
        // The end of a drained partition is published without records.
        assert_eq!(stall.work.first.is_some(), stall.work.records > 0, "{stall}");
        assert!(seam != Seam::Infer || stall.work.records > 0, "{stall}");
        assert!(!stall.to_string().contains("text"), "a text is in it: {stall}");
        drop(gate);
        await_stalls(progress.stages(), &[]);
        pipeline.join().expect("no panic").expect("it only took long");
        holds(&broker, &faults);
    }
}

/// Poison of any number is labelled as such, wherever a batch ends.
#[test]
fn any_number_of_poison_in_a_row_becomes_dead_letters() {
    let faults = Arc::new(Faults::default());
    let mut all = records();
    let origin = |offset: i64| Origin { topic: "in".into(), partition: 0, offset };
    let poison = |offset: i64| RawEvent {
        origin: origin(offset),
        key: None,
        payload: Some(
            format!("{} text {}", model::POISON, "text ".repeat(usize::try_from(offset).expect("small"))).into(),
        ),
        headers: Vec::new(),
        timestamp_ms: None,
    };
    let good = |offset| RawEvent { payload: Some(b"text".to_vec()), ..poison(offset) };
    all[0] = (0..100).map(|offset| if offset < 90 { poison(offset) } else { good(offset) }).collect();
    let broker = Broker::new(all, Arc::clone(&faults));
    let mut parts = process(&broker, &faults);
    let supervision = Supervision { rewinds_max: 0, backoff: Duration::ZERO };
    let ended = supervise(&mut parts, limits(), supervision, &Progress::default(), &CancellationToken::new());
    ended.expect("the texts are to blame, not the model");
    let state = broker.state();
    let dead = state.dead_letters.iter().filter(|origin| origin.partition == 0).count();
    let labeled = state.labeled.iter().filter(|origin| origin.partition == 0).count();
    assert_eq!((dead, labeled), (90, 10));
}

#[test]
fn gives_up_after_too_many_rewinds_that_commit_nothing() {
    let faults = Arc::new(Faults::mix((1..10).map(|call| (Seam::Publish, call, PlannedFault::FailsBefore)).collect()));
    let broker = Broker::new(records(), Arc::clone(&faults));
    let mut parts = process(&broker, &faults);
    let supervision = Supervision { rewinds_max: 3, backoff: Duration::ZERO };
    let progress = Progress::default();
    let ended = supervise(&mut parts, limits(), supervision, &progress, &CancellationToken::new());
    let error = ended.expect_err("nothing can be published");
    assert!(error.to_string().contains("3 consecutive rewinds"), "{error}");
    assert_eq!((progress.rewinds(), progress.batches()), (3, 0));
}
