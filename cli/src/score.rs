//! `labelstream score`: labels the rows of a file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use explain::figures::grouped;
use ingest::texts::{TextFile, TextFileOptions};
use service::settings::{Flag, Layers, SettingsError};
use sink::scored::{ScoredFile, ScoredKind};
use workers::error::WorkerError;
use workers::score::{Scoring, Summary};
use workers::settings::uses;

use crate::bar::Bar;
use crate::failure::Failure;
use crate::settings_arguments::layers;
use crate::start::{self, Started};

const EXAMPLES: &str = "\
Examples:
  labelstream score tickets.csv --text message --out tickets-labeled.csv
  labelstream score tickets.jsonl.gz --out labels.parquet --model models:/intents@champion --top-k 3
  labelstream score mails.parquet --text /mail/body --out mails.jsonl --prefix model_

FILE is CSV or TSV with a header, JSON lines, or Parquet; CSV and JSON lines may be gzipped. The output has the rows \
in their order with all their columns, followed by predicted_label, predicted_score and predicted_error. Exits with 1 \
if no row has a text.";

/// Labels of the summary.
const LABELS_SHOWN: usize = 5;

/// Label the texts of a file: CSV, JSON lines or Parquet in and out.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ScoreArguments {
    /// Rows with texts
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Output file for the rows with their labels: .csv, .tsv, .jsonl or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Text column; a JSON pointer such as /mail/body for a nested one
    #[arg(long, value_name = "COLUMN", default_value = "text")]
    text: String,
    /// Add the N best labels with their scores, as predicted_labels [key: model.top_k]
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Prefix of the added columns
    #[arg(long, value_name = "TEXT", default_value = "predicted_")]
    prefix: String,
    /// Delimiter of a CSV file [default: a comma; a tab in .tsv]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// Overwrite the output file
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    model: ModelFlags,
}

/// Which model labels.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Settings")]
struct ModelFlags {
    /// Settings file in TOML [default: ./labelstream.toml if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Model package: a folder or an address, as in classify [key: model.package]
    #[arg(long, value_name = "FOLDER|ADDRESS")]
    model: Option<String>,
    /// Cache folder for downloaded packages [key: packages.cache; default: ~/.cache/labelstream/models]
    #[arg(long, value_name = "FOLDER")]
    model_cache: Option<String>,
    /// Contact no registry: start from the cache [key: packages.offline]
    #[arg(long)]
    offline: bool,
    /// Any setting, such as --set model.long_text=strided; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ScoreArguments {
    fn layers(&self) -> Result<Layers, SettingsError> {
        let flags = [
            ("--model", "model.package", self.model.model.clone()),
            ("--model-cache", "packages.cache", self.model.model_cache.clone()),
            ("--offline", "packages.offline", self.model.offline.then(|| "true".to_owned())),
            ("--top-k", "model.top_k", self.top_k.map(|count| count.to_string())),
        ];
        let flags = flags.into_iter().filter_map(|(name, key, text)| Some(Flag { name, key, text: text? }));
        layers(self.model.config.as_deref(), flags.collect(), &self.model.set)
    }
}

/// Labels every row, and says on stdout how many and how fast.
///
/// # Errors
/// When the file, the model or the output cannot be used, or no row has a text.
pub fn run(arguments: &ScoreArguments) -> Result<(), Failure> {
    // What is wrong with the files is said before a model is fetched.
    let (input, out) = files(arguments)?;
    let Started { config, stop, .. } = start::command(&arguments.layers()?, uses::MODEL)?;
    let mut scoring = Scoring::start(&config, input, out, &stop)?;
    let mut bar = Bar::new(scoring.progress().total_bytes);
    let started = Instant::now();
    while let Some(rows) = scoring.step()? {
        (0..rows).for_each(|_| bar.record(|| scoring.progress().read_bytes));
        if stop.is_cancelled() {
            return Err(Failure::Interrupted);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    drop(bar);
    let summary = scoring.finish()?;
    if summary.labeled == 0 {
        return Err(Failure::NothingToScore { file: arguments.file.clone(), reasons: reasons(&summary) });
    }
    let text = text(&summary, &arguments.out, seconds);
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::Stdout)
}

fn files(arguments: &ScoreArguments) -> Result<(TextFile, ScoredFile), WorkerError> {
    let options = TextFileOptions {
        column: arguments.text.clone(),
        delimiter: arguments.delimiter,
        as_columns: ScoredKind::of(&arguments.out)?.has_columns(),
    };
    let input = TextFile::open(&arguments.file, &options)?;
    let with_labels = arguments.top_k.is_some();
    Ok((input, ScoredFile::create(&arguments.out, &arguments.prefix, with_labels, arguments.force)?))
}

/// `no text 3, blank text 1`.
fn reasons(summary: &Summary) -> String {
    if summary.problems.is_empty() {
        return "it has no rows".to_owned();
    }
    let reasons = summary.problems.iter().map(|(problem, count)| format!("{problem} {}", grouped(*count)));
    reasons.collect::<Vec<_>>().join(", ")
}

fn text(summary: &Summary, out: &Path, seconds: f64) -> String {
    let mut text = format!("{} of {} rows labelled", grouped(summary.labeled), grouped(summary.rows));
    if !summary.problems.is_empty() {
        text.push_str(&format!(" ({})", reasons(summary)));
    }
    #[expect(clippy::cast_precision_loss, reason = "rows far below 2^52")]
    let rate = summary.rows as f64 / seconds.max(0.001);
    text.push_str(&format!(", {rate:.0} rows/s: {}\n", out.display()));
    let mut labels: Vec<_> = summary.labels.iter().collect();
    labels.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (label, count) in labels.iter().take(LABELS_SHOWN) {
        text.push_str(&format!("  {:>12}  {label}\n", grouped(**count)));
    }
    if labels.len() > LABELS_SHOWN {
        text.push_str(&format!("  and {} labels more\n", labels.len() - LABELS_SHOWN));
    }
    text
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() => Ok(*byte),
            _ => Err("expected one ASCII character such as ';', or tab".to_owned()),
        },
    }
}
