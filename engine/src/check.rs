//! `labelstream model check DIR`: opens a package as a worker would, and says what it found.

use std::fmt;
use std::time::{Duration, Instant};

use schemas::ModelId;
use schemas::package_files::MANIFEST;

use crate::client::Client;
use crate::engine::Engine;
use crate::label::ProblemType;
use crate::load::{self, GoldenResult, LoadError, Mismatches};
use crate::package::Package;
use crate::package::files::FileFacts;
use crate::settings::Config;

/// How long the short run takes at least.
const RUN: Duration = Duration::from_secs(1);
/// Texts handed over at once in the short run.
const WINDOW: usize = 64;
/// What the short run labels when the package has no golden texts: 16 tokens of English or so.
const SAMPLE: &str = "I was charged twice for the same order and would like my money back";

/// What was found in a package.
#[derive(Clone, Debug)]
pub struct Report {
    pub id: ModelId,
    pub files: Vec<FileFacts>,
    /// Files that `labelstream.json` gives a digest for; all of them agree.
    pub files_listed: usize,
    /// What a person should know of the package.
    pub notes: Vec<String>,
    pub licence: Option<String>,
    pub labels: usize,
    pub problem_type: ProblemType,
    pub tokens_max: usize,
    pub temperature: f32,
    /// Scores depend on the other texts of a run, unless texts run one at a time.
    pub dynamically_quantised: bool,
    pub provider: &'static str,
    /// The widest vector instructions of this machine's CPU.
    pub instructions: &'static str,
    pub sessions: usize,
    pub load: Duration,
    pub warm_up: Duration,
    pub golden: Vec<GoldenResult>,
    /// Texts per second in a short run, and their mean length in tokens.
    pub texts_per_second: f64,
    pub tokens_per_text: f64,
}

impl Report {
    /// True when every golden text got its score.
    pub fn is_good(&self) -> bool {
        self.golden.iter().all(|result| result.is_good)
    }
}

/// Opens, loads and tries the package of these settings.
///
/// # Errors
/// When it cannot be opened or loaded; golden texts with other scores are part of the report.
pub fn check(config: &Config) -> Result<Report, LoadError> {
    let package = config.open()?;
    let notes = package.notes(config.tokens_max);
    let tokens_max = config.tokens(&package)?.tokens_max();
    let started = load::start(&Engine::new(config.queue()), &package, config)?;
    let rules = config.rules(package.rules(config.top_k));
    let (problem_type, temperature) = (rules.problem_type, rules.temperature);
    let (texts_per_second, tokens_per_text) = short_run(&started.client, &package, tokens_max)?;
    Ok(Report {
        id: package.id,
        files: package.files,
        files_listed: package.manifest.files.len(),
        notes,
        licence: package.manifest.licence,
        labels: package.config.labels.len(),
        problem_type,
        tokens_max,
        temperature,
        dynamically_quantised: package.graph.dynamically_quantised,
        provider: config.provider.name(),
        instructions: instructions(),
        sessions: config.sessions.get(),
        load: started.load,
        warm_up: started.warm_up,
        golden: started.golden,
        texts_per_second,
        tokens_per_text,
    })
}

/// Labels the golden texts over and over, each time made different by a number, so that none is known already.
fn short_run(client: &Client, package: &Package, tokens_max: usize) -> Result<(f64, f64), LoadError> {
    let golden: Vec<&str> = package.manifest.golden.iter().map(|golden| golden.text.as_str()).collect();
    let texts = if golden.is_empty() { &[SAMPLE][..] } else { &golden };
    let begun = Instant::now();
    let (mut labeled, mut tokens) = (0, 0);
    while begun.elapsed() < RUN {
        let window: Vec<String> =
            texts.iter().cycle().take(WINDOW).zip(labeled..).map(|(text, number)| format!("{text} {number}")).collect();
        let window: Vec<&str> = window.iter().map(String::as_str).collect();
        let answers = client.predict(&window).map_err(LoadError::GoldenRun)?;
        tokens +=
            answers.iter().flatten().map(|answer| tokens_max.min(answer.signals.n_tokens as usize)).sum::<usize>();
        labeled += WINDOW;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok((float(labeled) / seconds, float(tokens) / float(labeled)))
}

/// The widest instructions that ONNX Runtime's kernels would use here.
fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        let has_vnni = std::is_x86_feature_detected!("avx512vnni");
        if std::is_x86_feature_detected!("avx512f") {
            return if has_vnni { "avx512 with vnni" } else { "avx512" };
        }
        if std::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    std::env::consts::ARCH
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: String| writeln!(f, "{name:<14}{value}");
        row(f, "model", format!("{} {}", self.id.name, self.id.version))?;
        row(f, "digest", self.id.digest.clone())?;
        for file in &self.files {
            row(f, "file", format!("{:<20} {:>11} bytes  sha256 {}", file.name, file.bytes, file.sha256))?;
        }
        let has_manifest = self.files.iter().any(|file| file.name == MANIFEST);
        let listed = match self.files_listed {
            0 if !has_manifest => "none to hold the files against: the package has no labelstream.json".to_owned(),
            0 => "labelstream.json lists none".to_owned(),
            count => format!("all {count} that labelstream.json lists agree"),
        };
        row(f, "digests", listed)?;
        row(f, "licence", self.licence.clone().unwrap_or_else(|| "not given".to_owned()))?;
        row(f, "labels", format!("{}, {}", self.labels, word(self.problem_type)))?;
        row(f, "tokens", format!("at most {} of a text at once", self.tokens_max))?;
        self.notes.iter().try_for_each(|note| row(f, "note", note.clone()))?;
        row(f, "temperature", self.temperature.to_string())?;
        if self.dynamically_quantised {
            row(f, "quantisation", "dynamic: scores depend on the batch unless model.deterministic = true".to_owned())?;
        }
        row(f, "runs on", format!("{} ({}), {} sessions", self.provider, self.instructions, self.sessions))?;
        row(f, "load", format!("{} ms, warm-up {} ms", self.load.as_millis(), self.warm_up.as_millis()))?;
        row(f, "golden texts", golden(&self.golden))?;
        row(
            f,
            "speed",
            format!("{:.0} texts/s, {:.0} tokens each, in a short run", self.texts_per_second, self.tokens_per_text),
        )
    }
}

fn golden(results: &[GoldenResult]) -> String {
    let bad: Vec<GoldenResult> = results.iter().filter(|result| !result.is_good).cloned().collect();
    match (results.len(), bad.len()) {
        (0, _) => "none in the package".to_owned(),
        (count, 0) => format!("all {count} as expected"),
        (count, _) => format!("of {count}, {}", Mismatches(bad)),
    }
}

fn word(problem_type: ProblemType) -> &'static str {
    match problem_type {
        ProblemType::Softmax => "exactly one is right (softmax)",
        ProblemType::Sigmoid => "any number is right (sigmoid)",
        ProblemType::Regression => "a number (regression)",
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}
