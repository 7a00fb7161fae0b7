//! The drift worker on both brokers: its reports are the same to the byte, whoever counted, whatever was killed.
//!
//! Every test compares with one worker that reads the whole topic undisturbed. Windows are seconds of event time, so a
//! few thousand events make dozens of them.

mod events;
mod labels;
mod stage;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use drift::state::{Key, Value};
use sink::reports::{ReportStore, ReportsConfig, Selection};
use tempfile::TempDir;
use tests::broker;
use tests::records::{produce, read_committed};

use events::{PARTITIONS, bad_records, records, tombstone};
use stage::{Job, PATIENCE, Running, files};

/// What [`Job::spawn`] runs: a worker as a process of its own.
#[test]
#[ignore = "a part of the other tests"]
fn a_worker() {
    let Some(job) = Job::told() else { return };
    stage::log();
    let stop = service::shutdown::listen(|| ()).expect("signals can be heard");
    let progress = drift::pipeline::Progress::default();
    let ended = job.work(&progress, &stop);
    println!("worker ended: {ended:?} {progress:?}");
    ended.expect("a worker that ends well");
}

/// The reports must be those of one worker that reads the whole topic at once.
fn assert_same(found: &Path, job: &Job) {
    let alone = TempDir::new().expect("a temporary folder");
    Running::start(&job.undisturbed(alone.path())).await_end();
    let (found_files, expected) = (files(found), files(alone.path()));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found_files), names(&expected));
    let different = expected.iter().filter(|(name, bytes)| found_files[*name] != **bytes).count();
    assert!(
        different == 0,
        "{different} of {} files differ: {}",
        expected.len(),
        first_difference(found, alone.path())
    );
    assert!(expected.len() > 50, "only {} files", expected.len());
    let is_revision = |name: &&String| !name.ends_with("-r0.parquet");
    assert!(expected.keys().filter(is_revision).count() > 0, "late events made no revision");
}

/// The first row that two folders of reports do not share, for the message of a failed test.
fn first_difference(found: &Path, expected: &Path) -> String {
    let open = |folder: &Path| ReportStore::open(&ReportsConfig::of_folder(folder)).expect("a folder of ours");
    let (found, expected) = (open(found), open(expected));
    for name in expected.windows(&Selection::default()).expect("a folder of ours") {
        let (found, expected) = (found.read(&name).expect("it is there"), expected.read(&name).expect("it is there"));
        let mut rows = found.drift.iter().zip(&expected.drift);
        if let Some((found, expected)) = rows.find(|(found, expected)| found != expected) {
            return format!("{name:?}\nfound    {found:?}\nexpected {expected:?}");
        }
        if found != expected {
            return format!("{name:?}: not in its findings");
        }
    }
    "in their bytes only".to_owned()
}

#[test]
fn reports_are_the_same_after_eight_kills() {
    const KILLS: usize = 8;
    const BURST: usize = 250;
    for broker in broker::all() {
        let folder = TempDir::new().expect("a temporary folder");
        let job = Job::new(&broker, PARTITIONS, folder.path());
        let names = ["a", "b"];
        let mut workers: Vec<_> = names.iter().map(|name| job.instance(name).spawn()).collect();
        let mut third = None;
        let mut fed = 0;
        for kill in 0..KILLS {
            // Between 300 and 1500 ms, in no step with anything; events come all the while.
            let pause = Duration::from_millis(300).mul_f64(1.0 + 4.0 * (kill as f64 * 0.618_034).fract());
            let until = Instant::now() + pause;
            while Instant::now() < until {
                produce(&job.brokers, &job.topic, &records(fed, fed + BURST));
                fed += BURST;
                thread::sleep(Duration::from_millis(60));
            }
            let victim = kill % 2;
            workers[victim].kill();
            workers[victim] = job.instance(names[victim]).spawn();
            match kill {
                2 => third = Some(job.instance("c").spawn()),
                5 => third = None, // killed as well, and its partitions wait for its session to end
                _ => {}
            }
        }
        drop(third);
        for worker in &mut workers {
            worker.signal("TERM");
            worker.await_success(PATIENCE);
        }
        let mut last: Vec<_> = names.iter().map(|name| job.instance(name).until_end().spawn()).collect();
        for worker in &mut last {
            worker.await_success(PATIENCE);
            worker.assert_quiet_log(&[]);
        }
        assert_same(folder.path(), &job);
        println!("{:?}: {fed} events, {KILLS} kills, the same reports", broker.kind);
    }
}

/// A day is open all the while: what it counted is read back, not counted again.
#[test]
fn a_restart_reads_back_a_long_window_instead_of_its_events() {
    const EVENTS: usize = 4000;
    for broker in broker::all() {
        let folder = TempDir::new().expect("a temporary folder");
        let mut job = Job::new(&broker, PARTITIONS, folder.path());
        job.granularities = ["10s", "1d"].map(str::to_owned).to_vec();
        produce(&job.brokers, &job.topic, &records(0, EVENTS));
        let mut worker = job.spawn();
        let deadline = Instant::now() + PATIENCE;
        while counted(&job).0 < EVENTS as u64 {
            assert!(Instant::now() < deadline, "only {:?} were counted", counted(&job));
            thread::sleep(Duration::from_millis(100));
        }
        worker.kill();
        produce(&job.brokers, &job.topic, &records(EVENTS, EVENTS + 40));
        let progress = Running::start(&job.until_end()).await_end();
        assert_eq!(progress.records(), 40, "those after the last checkpoint and no others");
        assert_eq!(progress.restores(), 1);
        assert_same(folder.path(), &Job { until_end: true, ..job.clone() });
    }
}

#[test]
fn a_partition_goes_to_another_worker_with_its_state() {
    for broker in broker::all() {
        let folder = TempDir::new().expect("a temporary folder");
        let job = Job::new(&broker, PARTITIONS, folder.path());
        let one = Running::start(&job.instance("a"));
        produce(&job.brokers, &job.topic, &records(0, 1500));
        one.until("half of it is counted", |progress| progress.records() > 700);
        let two = Running::start(&job.instance("b"));
        for part in 1..6 {
            produce(&job.brokers, &job.topic, &records(part * 1500, (part + 1) * 1500));
            thread::sleep(Duration::from_millis(100));
        }
        two.until("the second one counts", |progress| progress.records() > 500);
        // The reporter goes, and comes back where it left off.
        one.stop();
        let rest = [Running::start(&job.instance("a").until_end()), {
            two.stop();
            Running::start(&job.instance("b").until_end())
        }];
        for worker in rest {
            worker.await_end();
        }
        assert_same(folder.path(), &job);
    }
}

#[test]
fn a_store_that_fails_is_waited_for_and_stops_reading_before_memory_fills() {
    for broker in broker::all() {
        let root = TempDir::new().expect("a temporary folder");
        let (folder, away) = (root.path().join("reports"), root.path().join("away"));
        let mut job = Job::new(&broker, PARTITIONS, &folder);
        job.pending_max = 3;
        let worker = Running::start(&job);
        produce(&job.brokers, &job.topic, &records(0, 1000));
        worker.until("some reports are written", |progress| progress.reports() > 3);
        fs::rename(&folder, &away).expect("our own folder");
        fs::write(&folder, "no folder").expect("our own folder");
        for part in 1..9 {
            produce(&job.brokers, &job.topic, &records(part * 1000, (part + 1) * 1000));
            thread::sleep(Duration::from_millis(300));
        }
        let reports = worker.progress.reports();
        let mut read = worker.progress.records();
        // Reading stops soon: nothing is read for a while, and much is left.
        let deadline = Instant::now() + PATIENCE;
        loop {
            thread::sleep(Duration::from_secs(2));
            let now = worker.progress.records();
            if now == read {
                break;
            }
            read = now;
            assert!(Instant::now() < deadline, "reading goes on");
        }
        assert!(read < 9000, "all {read} were read while reports waited");
        assert_eq!(worker.progress.reports(), reports);
        fs::remove_file(&folder).expect("our own file");
        fs::rename(&away, &folder).expect("our own folder");
        worker.until("all is read after all", |progress| progress.records() >= 9000 && progress.reports() > reports);
        assert_eq!(worker.progress.rewinds(), 0, "a store that fails is no reason to read again");
        worker.stop();
        Running::start(&job.until_end()).await_end();
        assert_same(&folder, &job);
    }
}

#[test]
fn bad_events_are_counted_by_reason_and_kept_out() {
    for broker in broker::all() {
        let folder = TempDir::new().expect("a temporary folder");
        let job = Job::new(&broker, PARTITIONS, folder.path());
        produce(&job.brokers, &job.topic, &records(0, 400));
        let bad = bad_records();
        produce(&job.brokers, &job.topic, &bad.iter().map(|(record, _)| record.clone()).collect::<Vec<_>>());
        produce(&job.brokers, &job.topic, &[tombstone()]);
        produce(&job.brokers, &job.topic, &records(400, 3200));
        let progress = Running::start(&job.until_end()).await_end();
        assert_eq!(progress.records(), 3200 + bad.len() as u64 + 1);
        let (accepted, refused) = counted(&job);
        assert_eq!(accepted, 3200);
        let expected: BTreeMap<_, _> = bad.iter().map(|(_, reason)| ((*reason).to_owned(), 1)).collect();
        assert_eq!(refused, expected);
        assert_same(folder.path(), &job);
    }
}

/// Partitions that bring nothing hold windows back until they are idle, and no longer.
#[test]
fn an_idle_partition_holds_nothing_back() {
    for broker in broker::all() {
        let folder = TempDir::new().expect("a temporary folder");
        let mut job = Job::new(&broker, PARTITIONS, folder.path());
        job.idle_ms = 4000;
        let only_one: Vec<_> = records(0, 2000).into_iter().filter(|record| record.partition == Some(2)).collect();
        produce(&job.brokers, &job.topic, &only_one);
        let worker = Running::start(&job);
        worker.until("all is counted", |progress| progress.records() == 500);
        assert_eq!(worker.progress.reports(), 0, "three partitions may bring something yet");
        worker.until("they are idle by now", |progress| progress.reports() > 10);
        worker.stop();
    }
}

/// Accepted events, and refused ones by reason, as the state topic tells.
fn counted(job: &Job) -> (u64, BTreeMap<String, u64>) {
    let mut newest = BTreeMap::new();
    for record in read_committed(&job.brokers, &job.state_topic()) {
        let key: Key = String::from_utf8(record.key.expect("a key")).expect("text").parse().expect("a key of ours");
        if let (Key::Progress(source), Some(value)) = (&key, record.payload)
            && let Value::Progress(progress) = Value::decode(&key, &value).expect("a value of ours")
        {
            newest.insert(source.clone(), progress.totals);
        }
    }
    let (mut accepted, mut refused) = (0, BTreeMap::new());
    for totals in newest.into_values() {
        accepted += totals.accepted;
        for (reason, count) in totals.refused {
            *refused.entry(reason).or_default() += count;
        }
    }
    (accepted, refused)
}
