//! `labelstream check`: tries everything that `classify` needs, one line each, and labels a few live records.
//!
//! It changes nothing that a worker or a reader could notice: no topic is created, no offset committed, no record
//! written. A step that needs a failed one is left out, so the first FAIL is the one to fix first.

mod labels;
mod publishing;
mod rules;

use std::io::{self, Write};
use std::time::Duration;

use engine::Client;
use engine::load::Ready;
use kafka::look::Look;
use kafka::rights::Rights;
use kafka::topic_state::TopicState;
use kafka::topics::describe;
use schemas::{RawEvent, chain};
use tokio_util::sync::CancellationToken;
use workers::error::WorkerError;
use workers::settings::uses;
use workers::settings::{self, Config};
use workers::{drift, model_source};

use crate::failure::Failure;
use crate::settings_arguments::SettingsArguments;
use crate::telemetry;

/// How long one question to the broker may take: long enough for a cluster far away, short enough to wait for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  labelstream check --brokers localhost:9092 --input messages --output messages-labeled
  labelstream check --config labelstream.toml --records 20
  labelstream check --records 0

Each line is ok, note or FAIL with what to do about it. It exits with 0 when nothing failed, else with 1 (78: settings).
The texts of the records that it labels are shown on stdout.";

/// Check the settings, the model and the broker, and label a few live records without committing anything.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Newest records of the input to label and show
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    records: u16,
}

/// Runs every step and reports each on stdout.
///
/// # Errors
/// [`Failure::Settings`] when there is nothing to try; [`Failure::Check`] when a step failed.
pub fn run(arguments: &CheckArguments) -> Result<(), Failure> {
    let layers = arguments.settings.layers()?;
    let loaded = settings::load(&layers, uses::ALL)?;
    let config = loaded.config;
    telemetry::install(&config)?;
    telemetry::warn_of(&loaded.misnamed);
    let mut report = Report { failed: 0 };
    let file = layers.file.map_or("no file".to_owned(), |file| format!("file {}", file.path.display()));
    report.ok("settings", &format!("{file}, {} set over the defaults", loaded.changed.len()))?;
    for setting in &loaded.changed {
        report.detail(&format!("{} = {} ({})", setting.key, setting.value, setting.place))?;
    }
    let model = check_model(&config, &mut report)?;
    check_drift(&config, model.as_ref(), &mut report)?;
    if let Some(topics) = check_topics(&config, &mut report)? {
        publishing::check(&config, &topics.outputs, &mut report)?;
        let records = check_input(&config, &topics.input, usize::from(arguments.records), &mut report)?;
        if let Some(model) = model.filter(|_| !records.is_empty()) {
            labels::check(&config, model, records, &mut report)?;
        }
    }
    if report.failed == 0 { Ok(()) } else { Err(Failure::Check { failed: report.failed }) }
}

/// The lines on stdout.
struct Report {
    failed: usize,
}

impl Report {
    fn ok(&mut self, what: &str, found: &str) -> Result<(), Failure> {
        line(&format!("ok    {what}: {found}"))
    }

    /// Good enough to start with, and worth knowing.
    fn note(&mut self, what: &str, found: &str) -> Result<(), Failure> {
        line(&format!("note  {what}: {found}"))
    }

    fn fail(&mut self, what: &str, found: &str, fix: &str) -> Result<(), Failure> {
        self.failed += 1;
        line(&format!("FAIL  {what}: {found}\n      -> {fix}"))
    }

    fn detail(&mut self, text: &str) -> Result<(), Failure> {
        line(&format!("      {text}"))
    }
}

fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::Stdout)
}

/// ONNX Runtime, the package with its digests, its golden texts and the warm-up.
fn check_model(config: &Config, report: &mut Report) -> Result<Option<Client>, Failure> {
    let loaded = model_source::model(config, &CancellationToken::new())
        .and_then(|model| engine::load::load_with_facts(&model).map_err(WorkerError::Model));
    match loaded {
        Ok(Ready { client, golden_texts, notes }) => {
            let model = client.model();
            report.ok("model", &format!("{} version {} loads, {}", model.name, model.version, golden(golden_texts)))?;
            report.detail(&model.digest)?;
            notes.iter().try_for_each(|note| report.note("model", note))?;
            Ok(Some(client))
        }
        Err(error) => {
            let fix = "see `labelstream model check`; model.package names the folder or address, `make tools` installs \
                       ONNX Runtime";
            report.fail("model", &chain(&error), fix)?;
            Ok(None)
        }
    }
}

/// What the golden texts of a package that loads have shown.
fn golden(texts: usize) -> String {
    match texts {
        0 => "and has no golden texts to verify its scores on this machine".to_owned(),
        1 => "and its golden text has its score".to_owned(),
        texts => format!("and its {texts} golden texts have their scores"),
    }
}

/// Whether the drift worker would have something to compare windows with.
fn check_drift(config: &Config, model: Option<&Client>, report: &mut Report) -> Result<(), Failure> {
    match drift::comparer(config, &CancellationToken::new()) {
        Ok(comparer) => {
            if let (Some(profile), Some(model), false) =
                (comparer.profile(), model, config.reference().allow_other_model())
                && let Err(error) = profile.check_model(model.model(), model.labels())
            {
                return report.note("drift", &format!("cannot {error}"));
            }
            let lengths: Vec<_> = config.drift().windows().granularities().iter().map(ToString::to_string).collect();
            let found = format!("windows of {} against a {} reference", lengths.join(", "), config.reference().kind());
            report.ok("drift", &found)
        }
        Err(error @ WorkerError::NoProfile { .. }) => report.note("drift", &format!("cannot {error}")),
        Err(error) => {
            let fix = "is reference.profile the file that `labelstream drift calibrate` wrote?";
            report.fail("drift", &chain(&error), fix)
        }
    }
}

/// What the cluster says of the topics.
struct Topics {
    input: Vec<(String, i32)>,
    /// Those that exist.
    outputs: Vec<String>,
}

/// The broker, and every topic with its partitions; `None` when nothing more can be asked.
fn check_topics(config: &Config, report: &mut Report) -> Result<Option<Topics>, Failure> {
    let brokers = config.connection().brokers();
    let names: Vec<_> = config.source().topics().iter().map(String::as_str).collect();
    let inputs = match describe(config.connection(), &names, ANSWER_WITHIN) {
        Ok(inputs) => inputs,
        Err(error) => {
            let fix =
                "is kafka.brokers (--brokers) right, is the broker running, do security_protocol and SASL match it?";
            report.fail("broker", &chain(&error), fix)?;
            return Ok(None);
        }
    };
    report.ok("broker", &format!("{brokers} answers"))?;
    let mut input = Vec::new();
    for topic in &inputs {
        match topic.partitions {
            Some(partitions) => {
                report.ok(&format!("input topic {}", topic.name), &partitions_of(partitions))?;
                input.push((topic.name.clone(), partitions));
            }
            None => missing(report, "input", topic, "create it, or correct source.topics (--input)")?,
        }
    }
    let widest = input.iter().map(|(_, partitions)| *partitions).max().unwrap_or(0);
    let outputs = check_outputs(config, widest, report)?;
    Ok((input.len() == inputs.len()).then_some(Topics { input, outputs }))
}

/// The output topics that exist.
fn check_outputs(config: &Config, widest: i32, report: &mut Report) -> Result<Vec<String>, Failure> {
    let sink = config.sink();
    let names = [sink.output_topic(), sink.dead_letter_topic()];
    let mut exist = Vec::new();
    for topic in describe(config.connection(), &names, ANSWER_WITHIN)? {
        let what = format!("output topic {}", topic.name);
        match topic.partitions {
            Some(partitions) => {
                exist.push(topic.name.clone());
                report.ok(&what, &partitions_of(partitions))?;
                if partitions < widest {
                    let found =
                        format!("fewer than the input's {widest}: records of higher partitions go to other partitions");
                    report.note(&what, &found)?;
                }
            }
            None if sink.create_topics() && !topic.is_forbidden => {
                report.note(&what, "does not exist; classify will create it (sink.create_topics)")?;
            }
            None => missing(report, "output", &topic, "create it, or set sink.create_topics = true")?,
        }
    }
    Ok(exist)
}

fn partitions_of(partitions: i32) -> String {
    let noun = if partitions == 1 { "partition" } else { "partitions" };
    format!("{partitions} {noun}")
}

fn missing(report: &mut Report, kind: &str, topic: &TopicState, fix: &str) -> Result<(), Failure> {
    let what = format!("{kind} topic {}", topic.name);
    if topic.is_forbidden {
        let right = if kind == "input" { "Read" } else { "Write" };
        report.fail(
            &what,
            "this user may not see it",
            &format!("grant it {right} and Describe on topic {}", topic.name),
        )
    } else {
        report.fail(&what, "does not exist", fix)
    }
}

/// The group's offsets and the newest records, read without joining.
fn check_input(
    config: &Config,
    topics: &[(String, i32)],
    count: usize,
    report: &mut Report,
) -> Result<Vec<RawEvent>, Failure> {
    let group = config.source().group();
    let may_read = may_read(config, topics, report)?;
    let look = match Look::at(config.connection(), group, topics, ANSWER_WITHIN) {
        Ok(look) => look,
        Err(error) => {
            report.fail("input", &chain(&error), "grant Read on the input topics")?;
            return Ok(Vec::new());
        }
    };
    rules::check(config, look.oldest_ms(), report)?;
    match look.group() {
        Ok(state) => {
            let found = format!(
                "committed in {} of {} partitions, about {} records behind the end",
                state.committed, state.partitions, state.behind
            );
            may_commit(config, &found, report)?;
            if state.deleted > 0 {
                let found = format!(
                    "{} records after the committed offsets are deleted (retention or DeleteRecords); classify \
                     continues at the first remaining ones",
                    state.deleted
                );
                report.note(&format!("group {group}"), &found)?;
            }
        }
        Err(error) => {
            let (what, grant) = (format!("group {group}"), format!("Read and Describe on consumer group {group}"));
            publishing::deny(report, &what, &error, &config.identity(), ("look at", &grant))?;
        }
    }
    if count == 0 || !may_read {
        return Ok(Vec::new());
    }
    match look.newest(count) {
        Ok(records) if records.is_empty() => {
            report.note("records", "the input has no record to label")?;
            Ok(records)
        }
        Ok(records) => Ok(records),
        Err(error) => {
            report.fail("records", &chain(&error), "grant Read on the input topics")?;
            Ok(Vec::new())
        }
    }
}

/// Whether this user may read every input topic; each that it may not is a line.
fn may_read(config: &Config, topics: &[(String, i32)], report: &mut Report) -> Result<bool, Failure> {
    let identity = config.identity();
    let rights = Rights::new(config.connection(), ANSWER_WITHIN);
    let before = report.failed;
    for (topic, _) in topics {
        if let Err(error) = rights.read(topic) {
            let grant = format!("Read and Describe on topic {topic}");
            publishing::deny(report, &format!("input topic {topic}"), &error, &identity, ("read", &grant))?;
        }
    }
    Ok(report.failed == before)
}

/// Whether this user may join the group and commit for it, which looking at its offsets does not show.
fn may_commit(config: &Config, found: &str, report: &mut Report) -> Result<(), Failure> {
    let identity = config.identity();
    let what = format!("group {}", identity.group);
    match Rights::new(config.connection(), ANSWER_WITHIN).commit(&identity.group) {
        Ok(()) => report.ok(&what, found),
        Err(error) => {
            let grant = format!("Read and Describe on consumer group {}", identity.group);
            publishing::deny(report, &what, &error, &identity, ("join", &grant))
        }
    }
}
