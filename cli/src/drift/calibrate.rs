//! `labelstream drift calibrate`: a profile from a quiet time, and what it would find.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use drift::calibrate::{Calibrator, ProfileSource};
use drift::reference::Flags;
use explain::figures::span;
use explain::outlook::outlook;
use kafka::clock::now_ms;
use tokio_util::sync::CancellationToken;
use workers::past::PastRecords;
use workers::settings::Config;
use workers::settings::uses;

use super::flags::{CommonFlags, FileFlags, KafkaFlags, TestFlags};
use super::moment::Moment;
use super::reading::{self, Input};
use crate::failure::Failure;
use crate::start::{self, Started};

const EXAMPLES: &str = "\
Examples:
  labelstream drift calibrate april.jsonl --out april.profile
  labelstream drift calibrate --from -14d --to -1d --input messages-labeled --out two-weeks.profile
  labelstream drift --reference april.profile

Choose a period when all was well, a week or more: windows are compared with its counts, and the variation between its \
windows shows what is normal. A profile has counts and no texts; single words only with --words.";

/// Create a reference profile from a file or a time range of the labelled topics, and estimate what it would detect.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CalibrateArguments {
    /// Labelled events, as JSON lines or Parquet
    #[arg(value_name = "FILE", required_unless_present = "from", conflicts_with_all = ["from", "to"])]
    file: Option<PathBuf>,
    /// Instead of a file: events of the labelled topics from this time on (RFC 3339, a date, or -14d)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<Moment>,
    /// Events before this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "from", default_value = "now")]
    to: Moment,
    /// The profile to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Name of the profile [default: the name of its file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Keep single words readable, so that reports can name those that disappeared; otherwise only their hashes are
    /// kept
    #[arg(long)]
    words: bool,
    #[command(flatten)]
    written: FileFlags,
    #[command(flatten)]
    kafka: KafkaFlags,
    #[command(flatten)]
    tests: TestFlags,
    #[command(flatten)]
    common: CommonFlags,
}

/// Writes the profile and prints what to expect of it.
///
/// # Errors
/// When the events cannot be read, or are too few.
pub(super) fn run(arguments: &CalibrateArguments) -> Result<(), Failure> {
    let mut flags = arguments.kafka.flags();
    flags.extend(arguments.written.flags());
    flags.extend(arguments.tests.flags());
    let Started { config, stop, .. } = start::command(&arguments.common.layers(flags)?, uses::DRIFT_TESTS)?;
    let (mut past, made_from, (from_ms, to_ms)) = match &arguments.file {
        Some(file) => (PastRecords::of_file(&config, file, BTreeMap::new())?, stem(file), (i64::MIN, i64::MAX)),
        None => open_topics(arguments, &config, &stop)?,
    };
    let mut calibrator = Calibrator::new(config.drift().windows().granularities());
    reading::read(&mut past, &stop, |merged, _, _| {
        // A part of a window would look smaller than usual.
        if from_ms <= merged.window.start_ms && merged.window.end_ms() <= to_ms {
            calibrator.add(merged.window, &merged.counts);
        }
        Ok(Flags::new())
    })?;
    match &arguments.file {
        Some(file) => {
            reading::say(past.seen(), Input::File)?;
            reading::must_be_usable(past.seen(), &file.display().to_string(), past.guess())?;
        }
        None => reading::say(past.seen(), Input::Topics)?,
    }
    let has_dead_letters = arguments.file.is_none() && config.drift().has_dead_letters();
    let name = arguments.name.clone().unwrap_or_else(|| stem(&arguments.out));
    let source = ProfileSource { name, made_from, model: None, has_words: arguments.words, has_dead_letters };
    let calibrated = calibrator.finish(source, config.verdict())?;
    calibrated.profile.write(&arguments.out)?;
    let text = outlook(&calibrated, &arguments.out.display().to_string());
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::Stdout)
}

/// The range of the labelled topics, its name for people, and its first and last millisecond.
fn open_topics(
    arguments: &CalibrateArguments,
    config: &Config,
    stop: &CancellationToken,
) -> Result<(PastRecords, String, (i64, i64)), Failure> {
    let now_ms = now_ms();
    let from_ms = arguments.from.map_or(now_ms, |from| from.ms(now_ms));
    let to_ms = arguments.to.ms(now_ms);
    if from_ms >= to_ms {
        return Err(Failure::EmptyRange);
    }
    let past = PastRecords::of_topics(config, from_ms, BTreeMap::new(), stop)?.ok_or(Failure::Interrupted)?;
    let topics = config.drift().source().topics().join(", ");
    Ok((past, format!("{topics}, {}", span(from_ms, to_ms)), (from_ms, to_ms)))
}

/// The name of a file without its folder and its last ending.
fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}
