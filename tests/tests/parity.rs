//! Python and Rust say the same of any text: labels identical, probabilities within 1e-4, signals equal.
//!
//! `training/labelstream_train/package/parity.py` draws the texts (real messages, emoji, scripts, control characters,
//! 20 kB), scores them with Python's tokenizer and runtime, and writes them down; here the classifier scores them
//! again, in its own batches. A few texts of every package in `models` always; ten thousand by
//! `cargo test --package tests --test parity -- --ignored --nocapture`, of the packages (folders, with `:` between
//! them) in `LABELSTREAM_PARITY_PACKAGES` where that is set.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::load::{self, LoadError};
use engine::onnx::SessionError;
use engine::package::Package;
use engine::settings::{Config, Settings};
use engine::{Client, Prediction};
use schemas::Signals;
use serde::Deserialize;
use tests::workspace;

/// Largest difference of a probability.
const TOLERANCE: f32 = 1e-4;
/// Texts handed to the labeller at once: enough for it to sort them into runs.
const WINDOW: usize = 64;
/// Texts of each package in everyday tests.
const FEW: usize = 600;
const MANY: usize = 10_000;

/// One text with what Python says about it.
#[derive(Deserialize)]
struct Row {
    kind: String,
    text: String,
    label: Option<String>,
    given: Vec<String>,
    scores: Vec<f32>,
    signals: Signals,
}

/// What was found for one kind of text.
#[derive(Clone, Copy, Default)]
struct Tally {
    texts: usize,
    labels_differ: usize,
    signals_differ: usize,
    worst: f32,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.texts += other.texts;
        self.labels_differ += other.labels_differ;
        self.signals_differ += other.signals_differ;
        self.worst = self.worst.max(other.worst);
    }

    fn agrees(&self) -> bool {
        self.labels_differ == 0 && self.signals_differ == 0 && self.worst <= TOLERANCE
    }
}

/// Python with what scoring needs: what `make tools` installs, or a virtual environment in `training`.
fn python() -> Option<PathBuf> {
    [".tools/training/bin/python", ".tools/training-torch/bin/python", "training/.venv/bin/python"]
        .into_iter()
        .map(|path| workspace::root().join(path))
        .find(|path| path.exists())
}

/// What Python says about `texts` drawn texts.
fn reference(python: &Path, package: &Path, texts: usize) -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("reference.jsonl");
    let mut command = Command::new(python);
    command.current_dir(workspace::root().join("training")).args(["-m", "labelstream_train.package.parity"]);
    command.arg(package).arg(&file).args(["--texts", &texts.to_string()]);
    if let Some(datasets) = workspace::dataset(".") {
        command.arg("--datasets").arg(datasets);
    }
    let done = command.output().expect("Python starts");
    assert!(done.status.success(), "Python scores the texts: {}", String::from_utf8_lossy(&done.stderr));
    let lines = BufReader::new(File::open(&file).expect("Python wrote it")).lines();
    lines.map(|line| serde_json::from_str(&line.expect("UTF-8")).expect("the fields of a row")).collect()
}

/// The package's labeller, listing all labels; or nothing where ONNX Runtime is not installed.
fn client(test: &str, package: &Path, labels: usize) -> Option<Client> {
    let settings =
        Settings { sessions: 2, cache_entries: 0, top_k: labels, ..Settings::of_package(package.to_owned()) };
    match load::load(&Config::try_from(settings).expect("good settings")) {
        Ok(client) => Some(client),
        Err(LoadError::Session(SessionError::Runtime(error))) => {
            workspace::skip_without_tool(test, &error.to_string());
            None
        }
        Err(error) => panic!("{} loads: {error}", package.display()),
    }
}

/// Holds what the classifier says against what Python says. Of several labels a text only those given have a score.
fn compare(row: &Row, prediction: &Prediction, names: &[&str], lists_all: bool) -> Tally {
    let labels = &prediction.labels;
    let listed: Vec<&str> = labels.top.iter().map(|label| &*label.label).collect();
    let same_list = lists_all || listed == row.given;
    let expected = |name: &str| {
        let place = names.iter().position(|own| *own == name).expect("a label of the package");
        row.scores[place]
    };
    let mut worst = labels.top.iter().map(|label| (label.score - expected(&label.label)).abs()).fold(0.0, f32::max);
    let best = match (&labels.label, labels.score) {
        (Some(label), Some(score)) => (score - expected(label)).abs(),
        (None, Some(score)) => (score - row.scores.iter().copied().fold(0.0, f32::max)).abs(),
        (_, None) => f32::INFINITY,
    };
    worst = worst.max(best);
    Tally {
        texts: 1,
        labels_differ: usize::from(labels.label.as_deref() != row.label.as_deref() || !same_list),
        signals_differ: usize::from(!same_signals(&prediction.signals, &row.signals)),
        worst,
    }
}

fn same_signals(found: &Signals, expected: &Signals) -> bool {
    let near = |a: Option<f32>, b: Option<f32>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE,
        (a, b) => a == b,
    };
    (found.characters, found.n_tokens, found.truncated) == (expected.characters, expected.n_tokens, expected.truncated)
        && near(Some(found.unknown_rate), Some(expected.unknown_rate))
        && near(found.entropy, expected.entropy)
        && near(found.margin, expected.margin)
}

/// Compares a package on that many texts and prints the table; false where it could not.
fn holds(test: &str, package: &Path, texts: usize) -> bool {
    let Some(python) = python() else {
        workspace::skip_without_tool(test, "the Python of training");
        return false;
    };
    let opened = Package::open(package).expect("the package opens");
    let names: Vec<&str> = opened.config.labels.iter().map(|label| &**label).collect();
    let Some(client) = client(test, package, names.len()) else { return false };
    let rows = reference(&python, package, texts);
    assert_eq!(rows.len(), texts);
    let lists_all = opened.config.problem_type == engine::label::ProblemType::Softmax;
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for window in rows.chunks(WINDOW) {
        let window_texts: Vec<&str> = window.iter().map(|row| row.text.as_str()).collect();
        let answers = client.predict(&window_texts).expect("the model works");
        for (row, answer) in window.iter().zip(answers) {
            let prediction = answer.expect("every text has scores");
            tallies.entry(&row.kind).or_default().add(compare(row, &prediction, &names, lists_all));
        }
    }
    println!("{}", table(&opened.id.name, &tallies));
    for (kind, tally) in &tallies {
        assert!(tally.agrees(), "{}: {kind} differs, see the table", package.display());
    }
    true
}

fn table(name: &str, tallies: &BTreeMap<&str, Tally>) -> String {
    let mut all = Tally::default();
    tallies.values().for_each(|tally| all.add(*tally));
    let mut text = format!(
        "{name}\n{:<20}{:>7} {:>14} {:>15}  {}",
        "kind", "texts", "other label", "other signals", "largest difference of a probability\n"
    );
    for (kind, tally) in tallies.iter().map(|(kind, tally)| (*kind, tally)).chain([("all", &all)]) {
        let Tally { texts, labels_differ, signals_differ, worst } = tally;
        let row = format!("{kind:<20}{texts:>7} {labels_differ:>14} {signals_differ:>15}  {worst:.1e}");
        text.push_str(&row);
        text.push('\n');
    }
    text
}

/// The packages in `models`.
fn packages() -> Vec<PathBuf> {
    let models = fs::read_dir(workspace::root().join("models")).expect("the default package is there");
    let mut found: Vec<PathBuf> = models.filter_map(Result::ok).map(|entry| entry.path()).collect();
    found.retain(|path| path.join("model.onnx").is_file());
    found.sort();
    found
}

#[test]
fn python_and_rust_agree_on_a_few_texts_of_every_package() {
    let packages = packages();
    assert!(!packages.is_empty());
    for package in packages {
        if !holds("python_and_rust_agree_on_a_few_texts_of_every_package", &package, FEW) {
            return;
        }
    }
}

#[test]
#[ignore = "takes minutes: `make test-training` runs it"]
fn python_and_rust_agree_on_ten_thousand_texts() {
    let named = env::var_os("LABELSTREAM_PARITY_PACKAGES");
    let packages = named.map_or_else(packages, |named| env::split_paths(&named).collect());
    for package in packages {
        assert!(holds("python_and_rust_agree_on_ten_thousand_texts", &package, MANY));
    }
}
