//! Texts that the model fails on, however many in a row, against a model that fails on everything.

use formats::dead_letter;
use tests::broker;
use tests::records::{await_committed, read_committed};

use crate::tiny::tokenizer;
use crate::worker::{Job, PATIENCE, POISON, has_runtime, poisonable};

/// Different texts of good and bad words.
fn texts(count: usize, first: &str) -> Vec<String> {
    let word = |number: usize, bit: usize| if number >> bit & 1 == 1 { "good" } else { "bad" };
    (0..count).map(|number| format!("{first} {}", [0, 1, 2, 3, 4, 5].map(|bit| word(number, bit)).join(" "))).collect()
}

/// `model.failures_max` is 32.
#[test]
fn a_run_of_texts_that_the_model_fails_on_becomes_dead_letters_and_the_stream_goes_on() {
    if !has_runtime("a run of poison") {
        return;
    }
    for broker in broker::all() {
        let job = Job::new(&broker, poisonable());
        job.write(texts(40, POISON));
        job.write(texts(8, "good"));
        job.write(texts(33, POISON));
        job.write(texts(1, "bad"));
        for more in [&["--set", "batch.records_max=1"][..], &[]] {
            let mut worker = job.start(&[&["--until-end"], more].concat());
            worker.await_success(PATIENCE);
            worker.assert_quiet_log(&["the model failed on many consecutive texts"]);
        }
        let labeled = await_committed(&job.brokers, &job.output, 9, PATIENCE);
        let dead = await_committed(&job.brokers, &job.dead_letters, 73, PATIENCE);
        assert_eq!((labeled.len(), dead.len()), (9, 73), "{:?}", broker.kind);
        for letter in &dead {
            let mark = dead_letter::read_headers(&letter.headers).expect("a dead letter of ours");
            assert_eq!(mark.reason, schemas::Reason::ModelFailed);
        }
    }
}

/// Each text begins with a special token; the model does not know this tokenizer's one.
#[test]
fn a_model_that_fails_on_everything_ends_the_worker_and_no_record_loses_its_label() {
    if !has_runtime("a broken model") {
        return;
    }
    for broker in broker::all() {
        let package = poisonable();
        let frame = tokenizer().replace("\"ids\":[2]", "\"ids\":[6]").replace("\"huge\":5", "\"huge\":5,\"poison\":6");
        assert!(frame.contains("\"ids\":[6]"), "the tokenizer of the tiny package has changed: {frame}");
        package.write("tokenizer.json", frame);
        let job = Job::new(&broker, package);
        job.write(texts(40, "good"));
        let mut worker = job.start(&["--until-end"]);
        let status = worker.await_exit(PATIENCE);
        let log = worker.stderr();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("in a row, and then on a plain greeting: "), "{log}");
        assert_eq!(read_committed(&job.brokers, &job.dead_letters).len(), 0, "{:?}: {log}", broker.kind);
    }
}
