//! A drained input has no lag by the group's offsets, also behind transaction markers and aborted records: what scales
//! workers by that lag comes down to zero. And an idle worker commits nothing again and again.

use std::thread;

use tests::broker::{self, TestBroker};
use tests::records::await_committed;
use tests::transactions::{Ending, await_no_lag, produce};

use crate::tiny::Tiny;
use crate::worker::{Job, PATIENCE, STARTED, has_runtime};

/// The sum over the series of a metric whose text begins so.
fn metric(job: &Job, name: &str) -> u64 {
    let (_, text) = job.ask("/metrics").expect("the worker answers");
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with([' ', '{', '}']).then(|| rest.rsplit(' ').next()?.parse::<u64>().ok()).flatten()
    };
    text.lines().filter_map(value).sum()
}

#[test]
fn a_drained_input_has_no_lag_behind_markers_and_aborted_records_and_an_idle_worker_commits_nothing() {
    if !has_runtime("a drained input") {
        return;
    }
    let brokers = broker::all();
    // Side by side: most of the time the workers wait for two statistics of librdkafka.
    thread::scope(|scope| {
        for broker in &brokers {
            for guarantee in ["exactly_once", "at_least_once"] {
                scope.spawn(move || drains(broker, guarantee));
            }
        }
    });
}

fn drains(broker: &TestBroker, guarantee: &str) {
    let text = "{\"text\": \"good\"}";
    let job = Job::new(broker, Tiny::new());
    let guaranteed = format!("sink.guarantee={guarantee}");
    let guaranteed = ["--set", guaranteed.as_str()];
    let write = |ending| produce(&job.brokers, &job.input, 0, &[text, text], ending);
    let no_lag = |end: i64| {
        let ends = await_no_lag(&job.brokers, job.group(), &job.input, 1, PATIENCE);
        assert_eq!(ends, [end], "{:?}, {guarantee}: two records and a marker each time", broker.kind);
    };
    let mut worker = job.start(&guaranteed);
    worker.await_text(STARTED, PATIENCE);
    write(Ending::Committed);
    no_lag(3);
    write(Ending::Aborted);
    no_lag(6);
    // What came while no worker ran, the last of it aborted.
    worker.kill();
    write(Ending::Committed);
    write(Ending::Aborted);
    let mut worker = job.start(&guaranteed);
    no_lag(12);
    // Each drain was one commit: had a commit followed from another, there would be more.
    for (drain, end) in [(2, 15), (3, 18)] {
        write(Ending::Aborted);
        no_lag(end);
        assert_eq!(metric(&job, kafka::metrics::DRAINED), drain, "{:?}, {guarantee}", broker.kind);
    }
    let committed = metric(&job, &format!("{}{{outcome=\"committed\"", kafka::metrics::TRANSACTIONS));
    assert!((4..=5).contains(&committed), "{committed} commits for two records and three drains");
    assert_eq!(await_committed(&job.brokers, &job.output, 4, PATIENCE).len(), 4, "each record once");
    worker.signal("TERM");
    worker.await_success(PATIENCE);
    worker.assert_quiet_log(&[]);
}
