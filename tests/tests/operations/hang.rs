//! A run of the model that never ends is noticed, and told where an orchestrator looks.

use std::thread;
use std::time::{Duration, Instant};

use tests::broker;
use tests::records::await_committed;

use crate::tiny::{Graph, Tiny, message, node, number, tensor, value};
use crate::worker::{Job, PATIENCE, has_runtime, poisonable};

/// The model of [`hanging`] does not come back from a text that holds this word.
pub(crate) const HANG: &str = "poison";

/// Turns of a loop that takes weeks.
const FOR_EVER: i64 = 1 << 40;

/// A package whose model counts to [`FOR_EVER`] on every text with [`HANG`], whose token id is 6, and adds nothing.
pub(crate) fn hanging() -> Tiny {
    poisonable().with("model.onnx", model())
}

/// As [`Graph::bytes`], with a `Loop` whose number of turns is the largest that any token asks for.
fn model() -> Vec<u8> {
    let zero_dims = |name: &str| number(3, 0).into_iter().chain(message(1, name.as_bytes())).collect::<Vec<u8>>();
    let keep_dims = [zero_dims("keepdims"), number(20, 2)].concat();
    let reduced = |operator: &str, inputs: &[&str], output: &str| {
        [node(operator, inputs, output), message(5, &keep_dims)].concat()
    };
    let scalar = |name: &str, data_type: u64| value(name, data_type, &[]);
    let body = [
        message(1, &node("Identity", &["go_on"], "still_on")),
        message(1, &node("Identity", &["sum"], "same")),
        message(2, b"body"),
        message(11, &scalar("turn", 7)),
        message(11, &scalar("go_on", 9)),
        message(11, &scalar("sum", 1)),
        message(12, &scalar("still_on", 9)),
        message(12, &scalar("same", 1)),
    ]
    .concat();
    // AttributeProto: body, type GRAPH
    let looped = [message(1, b"body"), message(6, &body), number(20, 5)].concat();
    let counts = [node("Loop", &["turns", "yes", "nothing"], "counted"), message(5, &looped)].concat();
    let of_token: Vec<u8> = [0, 0, 0, 0, 0, 0, FOR_EVER].iter().flat_map(|turns: &i64| turns.to_le_bytes()).collect();
    let graph = [
        message(1, &node("Min", &["input_ids", "last"], "known")),
        message(1, &node("Gather", &["weights", "known"], "rows")),
        message(1, &reduced("ReduceSum", &["rows", "axis"], "scores")),
        message(1, &node("Gather", &["turns_of_token", "input_ids"], "asked")),
        message(1, &reduced("ReduceMax", &["asked"], "turns")),
        message(1, &counts),
        message(1, &node("Add", &["scores", "counted"], "logits")),
        message(2, b"graph"),
        message(5, &Graph::default().weights()),
        message(5, &tensor("axis", &[1], 7, &1i64.to_le_bytes())),
        message(5, &tensor("last", &[1], 7, &5i64.to_le_bytes())),
        message(5, &tensor("turns_of_token", &[7], 7, &of_token)),
        message(5, &tensor("yes", &[], 9, &[1])),
        message(5, &tensor("nothing", &[], 1, &0f32.to_le_bytes())),
        message(11, &value("input_ids", 7, &["batch".into(), "tokens".into()])),
        message(12, &value("logits", 1, &["batch".into(), 0.into()])),
    ]
    .concat();
    [number(1, 8), message(7, &graph), message(8, &number(2, 17))].concat()
}

#[test]
fn a_model_that_hangs_turns_health_to_503_with_the_place_and_idle_does_not() {
    if !has_runtime("a model that hangs") {
        return;
    }
    for broker in broker::all() {
        let job = Job::new(&broker, hanging());
        let mut worker = job.start(&["--set", "run.stall_max_ms=1000", "--set", "model.sessions=1"]);
        job.write(["good", "bad"]);
        assert_eq!(await_committed(&job.brokers, &job.output, 2, PATIENCE).len(), 2);
        let idle_since = Instant::now();
        while idle_since.elapsed() < Duration::from_secs(3) {
            assert_eq!(job.await_status("/health", 200)["status"], "alive", "an idle worker is alive");
            thread::sleep(Duration::from_millis(200));
        }

        job.write([HANG]);
        let health = job.await_status("/health", 503);
        let stall = &health["stalled"][0];
        assert_eq!((&stall["stage"], &stall["records"]), (&"label".into(), &1.into()), "{health}");
        let first = stall["first_record"].as_str().unwrap_or_default();
        assert_eq!(first, format!("{}[0]@{}", job.input, offset_of(first)), "{health}");
        assert!(!health.to_string().contains(HANG), "a text is in it: {health}");
        job.await_status("/ready", 503);
        let metrics = job.ask("/metrics").map(|(_, body)| body).unwrap_or_default();
        let gauge =
            metrics.lines().find_map(|line| line.strip_prefix("labelstream_stage_stalled_seconds{stage=\"label\"} "));
        assert!(gauge.and_then(|value| value.parse::<f64>().ok()).is_some_and(|seconds| seconds >= 1.0), "{metrics}");
        worker.await_text("a stage hangs", PATIENCE);
        assert!(worker.stderr().contains(first), "{}", worker.stderr());
        worker.kill(); // it goes on for weeks
    }
}

/// Two records came before; transaction markers lie on the output, not here.
fn offset_of(first: &str) -> &str {
    first.rsplit_once('@').map_or("", |(_, offset)| offset)
}
