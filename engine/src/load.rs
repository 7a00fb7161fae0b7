//! From settings to a model that is ready for the first text: package, sessions, golden texts, warm-up.
//!
//! A model that does not give its golden texts their scores on this machine never labels anything.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::gauge;
use schemas::Recovery;
use service::chain;

use crate::answer::Class;
use crate::client::Client;
use crate::engine::Engine;
use crate::error::LabelError;
use crate::metrics::MODEL_INFO;
use crate::model::{Model, ModelError, TokenBatch};
use crate::onnx::{self, OnnxModel, SessionError};
use crate::package::Package;
use crate::package::error::PackageError;
use crate::package::manifest::Golden;
use crate::settings::Config;
use crate::slot::{Slot, SlotConfig};
use crate::threads::{Loaded, Removal};

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(
        "use model.tokens_per_run = {tokens_per_run}: it must be at least the {tokens_max} tokens that the model may \
         read of one text"
    )]
    RunTooSmall { tokens_per_run: usize, tokens_max: usize },
    #[error("warm the model up")]
    WarmUp(#[source] ModelError),
    #[error("check the golden texts")]
    GoldenRun(#[source] LabelError),
    #[error("check the golden texts of {model}: {mismatches}")]
    Golden { model: String, mismatches: Mismatches },
}

impl LoadError {
    /// Always exit: the files or the settings have to change.
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}

/// What the model said about one golden text.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenResult {
    /// Place in `labelstream.json`, from 0.
    pub number: usize,
    pub expected: Golden,
    pub found: Result<(Option<Arc<str>>, f32), String>,
    pub is_good: bool,
}

/// Golden texts with other results than expected; the texts themselves stay out of logs.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatches(pub Vec<GoldenResult>);

impl fmt::Display for Mismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} differ", self.0.len())?;
        for result in &self.0 {
            let name = |label: Option<&str>| label.unwrap_or("no label").to_owned();
            let expected = &result.expected;
            write!(f, "; number {}: expected {} {}", result.number, name(expected.label.as_deref()), expected.score)?;
            match &result.found {
                Ok((label, score)) => write!(f, ", found {} {score}", name(label.as_deref()))?,
                Err(error) => write!(f, ", found an error: {error}")?,
            }
        }
        Ok(())
    }
}

/// A model that passed the warm-up, and how the start went.
pub(crate) struct Started {
    pub(crate) client: Client,
    pub(crate) load: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) golden: Vec<GoldenResult>,
}

/// A model with what there is to say about its package.
pub struct Ready {
    pub client: Client,
    /// Golden texts that the package has; all of them got their scores.
    pub golden_texts: usize,
    /// What a person should know of the package.
    pub notes: Vec<String>,
}

/// Loads the package of the settings and makes it ready.
///
/// # Errors
/// See [`LoadError`]; nothing was labelled.
pub fn load(config: &Config) -> Result<Client, LoadError> {
    Ok(load_with_facts(config)?.client)
}

/// Loads the package of the settings and makes it ready, for a caller that reports on it.
///
/// # Errors
/// As [`load`].
pub fn load_with_facts(config: &Config) -> Result<Ready, LoadError> {
    load_into(&Engine::new(config.queue()), config)
}

/// Adds the package of the settings to an engine that may be busy with others: call it on a thread of its own, where it
/// loads and warms up for seconds. Golden texts are asked as [`Class::Background`], before anybody else can ask.
///
/// # Errors
/// As [`load`]; the engine is left as it was.
pub fn load_into(engine: &Engine, config: &Config) -> Result<Ready, LoadError> {
    let package = config.open()?;
    let notes = package.notes(config.tokens_max);
    for note in &notes {
        tracing::info!(model = package.id.name, note, "package");
    }
    let started = start(engine, &package, config)?;
    let mismatches: Vec<GoldenResult> = started.golden.into_iter().filter(|result| !result.is_good).collect();
    let model = Arc::clone(started.client.model());
    if !mismatches.is_empty() {
        started.client.remove(Removal::Cancel);
        let mismatches = Mismatches(mismatches);
        return Err(LoadError::Golden { model: model.name.clone(), mismatches });
    }
    tracing::info!(
        model = model.name,
        version = model.version,
        digest = model.digest,
        provider = config.provider.name(),
        sessions = config.sessions,
        load_ms = started.load.as_millis(),
        warm_up_ms = started.warm_up.as_millis(),
        "model ready"
    );
    let info = gauge!(
        MODEL_INFO,
        "name" => model.name.clone(),
        "version" => model.version.clone(),
        "digest" => model.digest.clone(),
        "provider" => config.provider.name()
    );
    started.client.slot.show(info);
    Ok(Ready { client: started.client, golden_texts: package.manifest.golden.len(), notes })
}

/// Loads the sessions, warms them up, adds them to the engine, and runs the golden texts by the package's own rules, in a slot of their own.
pub(crate) fn start(engine: &Engine, package: &Package, config: &Config) -> Result<Started, LoadError> {
    let limits = config.slot(package.graph);
    let tokens = config.tokens(package)?;
    let tokens_max = tokens.tokens_max();
    let tokens_per_run = limits.tokens_per_run.get();
    if tokens_per_run < tokens_max {
        return Err(LoadError::RunTooSmall { tokens_per_run, tokens_max });
    }
    let begun = Instant::now();
    let mut sessions = onnx::load(package, config.provider, config.sessions.get())?;
    let load = begun.elapsed();

    let begun = Instant::now();
    let rows_max = (tokens_per_run / tokens_max).min(limits.rows_per_run.get());
    for session in &mut sessions {
        warm_up(session, rows_max, tokens_max, package.config.labels.len()).map_err(LoadError::WarmUp)?;
    }
    let warm_up = begun.elapsed();

    let model = Arc::new(package.id.clone());
    let own_tokens = package.tokens(None, package.long_text())?;
    let golden = Slot::new(Arc::clone(&model), own_tokens, package.rules(1), SlotConfig { cache_entries: 0, ..limits });
    let mut slot = Slot::new(model, tokens, config.rules(package.rules(config.top_k)), limits);
    if let Some(golden) = package.manifest.golden.first() {
        slot = slot.knowing(&golden.text);
    }
    let sessions = sessions.into_iter().map(|session| Box::new(session) as Box<dyn Model>).collect();
    let clients = engine.add(Loaded { sessions, slots: vec![golden, slot] });
    let [golden, client] = clients.try_into().unwrap_or_else(|_| unreachable!("one client for each of the two slots"));
    let answers = predict_golden(&golden.of_class(Class::Background), package);
    golden.remove(Removal::Cancel);
    let golden = answers.inspect_err(|_| client.remove(Removal::Cancel))?;
    Ok(Started { client, load, warm_up, golden })
}

/// The largest run that will come, so that memory has its final size, and the smallest.
fn warm_up(session: &mut OnnxModel, rows_max: usize, tokens_max: usize, labels: usize) -> Result<(), ModelError> {
    let row = vec![0; tokens_max];
    for (rows, columns) in [(rows_max, tokens_max), (1, 1)] {
        let scores = session.scores(&TokenBatch::pad(&vec![&row[..columns]; rows], columns, 0))?;
        if scores.classes != labels {
            let expected = format!("{labels} scores for the {labels} labels of config.json");
            let found = format!("{0}: {0} names are needed, in id2label", scores.classes);
            return Err(ModelError::Output { expected, found });
        }
    }
    Ok(())
}

fn predict_golden(client: &Client, package: &Package) -> Result<Vec<GoldenResult>, LoadError> {
    let golden = &package.manifest.golden;
    let texts: Vec<&str> = golden.iter().map(|golden| golden.text.as_str()).collect();
    let answers = client.predict(&texts).map_err(LoadError::GoldenRun)?;
    let tolerance = package.manifest.golden_tolerance;
    Ok(golden
        .iter()
        .zip(answers)
        .enumerate()
        .map(|(number, (expected, answer))| {
            let found = answer.map_err(|error| chain(&*error)).map(|prediction| {
                let labels = &prediction.labels;
                (labels.label.clone(), labels.score.or(labels.value).unwrap_or(f32::NAN))
            });
            let is_good = found.as_ref().is_ok_and(|(label, score)| {
                label.as_deref() == expected.label.as_deref() && (score - expected.score).abs() <= tolerance
            });
            GoldenResult { number, expected: expected.clone(), found, is_good }
        })
        .collect())
}
