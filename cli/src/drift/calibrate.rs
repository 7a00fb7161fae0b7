//! `labelstream drift calibrate`: a profile from a quiet time, and what it would find.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use drift::board::MergedWindow;
use drift::calibrate::power::Detectable;
use drift::calibrate::{Calibrated, Calibrator, Outlook, Source};
use drift::counts::WindowCounts;
use drift::reference::Flags;
use drift::window::Window;
use explain::figures::{count, probability, span, tame, value};
use ingest::history::History;
use kafka::clock::now_ms;
use tokio_util::sync::CancellationToken;
use workers::settings::Config;
use workers::settings::uses;

use super::flags::{CommonFlags, FileFlags, KafkaFlags, TestFlags};
use super::moment::Moment;
use super::pass::{Input, Pass};
use super::range;
use crate::bar::Bar;
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
    let (windows, made_from) = match (&arguments.file, arguments.from) {
        (Some(file), _) => from_file(&config, file, &stop)?,
        (None, from) => {
            let now_ms = now_ms();
            let from_ms = from.map_or(now_ms, |from| from.ms(now_ms));
            from_topics(&config, (from_ms, arguments.to.ms(now_ms)), &stop)?
        }
    };
    let mut calibrator = Calibrator::new(config.drift().windows().granularities());
    for (window, bytes) in windows {
        calibrator.add(window, &WindowCounts::decode(&bytes)?);
    }
    let has_dead_letters = arguments.file.is_none() && config.drift().has_dead_letters();
    let name = arguments.name.clone().unwrap_or_else(|| stem(&arguments.out));
    let source = Source { name, made_from, model: None, has_words: arguments.words, has_dead_letters };
    let calibrated = calibrator.finish(source, config.verdict())?;
    calibrated.profile.write(&arguments.out)?;
    let text = outlook(&calibrated, &arguments.out);
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::Stdout)
}

/// The newest counts of every window, encoded.
type Windows = BTreeMap<Window, Vec<u8>>;

fn from_file(config: &Config, file: &Path, stop: &CancellationToken) -> Result<(Windows, String), Failure> {
    let mut history = History::open(file)?;
    let mut bar = Bar::new(history.progress().total_bytes);
    let mut windows = Windows::new();
    let mut keep = |merged: &MergedWindow, _: &_| {
        windows.insert(merged.window, merged.counts.encode());
        Ok(Flags::new())
    };
    let unit = config.drift().observer().event_time_unit();
    let pass = Pass::new(config.drift(), BTreeMap::new(), BTreeSet::new());
    let mut pass = pass.in_unit(config.drift(), history.time_unit(unit));
    while let Some(record) = history.next() {
        pass.observe(&record?, i64::MAX, &mut keep)?;
        bar.record(|| history.progress().read_bytes);
        if stop.is_cancelled() {
            return Err(Failure::Interrupted);
        }
    }
    let seen = pass.end(&mut keep)?;
    seen.say(Input::File)?;
    seen.must_be_usable(&file.display().to_string(), history.guess())?;
    Ok((windows, stem(file)))
}

/// Whole windows of the range only: a part of one would look smaller than usual.
fn from_topics(
    config: &Config,
    (from_ms, to_ms): (i64, i64),
    stop: &CancellationToken,
) -> Result<(Windows, String), Failure> {
    if from_ms >= to_ms {
        return Err(Failure::EmptyRange);
    }
    let range = range::open(config, range::written_from(config, from_ms), stop)?;
    let bar = RefCell::new(Bar::new(u64::try_from(range.progress().1).unwrap_or_default()));
    let mut windows = Windows::new();
    let mut keep = |merged: &MergedWindow, _: &_| {
        if from_ms <= merged.window.start_ms && merged.window.end_ms() <= to_ms {
            windows.insert(merged.window, merged.counts.encode());
        }
        Ok(Flags::new())
    };
    let pass = Pass::new(config.drift(), BTreeMap::new(), range::expected(&range));
    range::read(range, pass, &bar, stop, &mut keep)?.say(Input::Topics)?;
    let topics = config.drift().source().topics().join(", ");
    Ok((windows, format!("{topics}, {}", span(from_ms, to_ms))))
}

/// The name of a file without its folder and its last ending.
fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

/// What the profile is, and what to expect of it.
fn outlook(calibrated: &Calibrated, out: &Path) -> String {
    let about = calibrated.profile.about();
    let records = count(i64::try_from(about.records).unwrap_or(i64::MAX));
    let model = tame(&format!("{} {}", about.model.name, about.model.version), 80);
    let mut text = format!(
        "{}: {records} records of {}, model {model}\n{}\n\nexpected false alarms: at most {} per week\n",
        out.display(),
        span(about.first_ms, about.last_ms),
        calibrated.profile.id(),
        value(calibrated.alarms_per_week())
    );
    for outlook in &calibrated.outlooks {
        write_outlook(&mut text, outlook);
    }
    text
}

fn write_outlook(text: &mut String, outlook: &Outlook) {
    let Outlook { granularity, windows, records_per_window, alpha, alarms_per_week, trial, detectable } = outlook;
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(format!(
        "\nwindows of {granularity}: {windows} seen, {records_per_window:.0} records each, level {}, {} alarms per \
         week",
        probability(*alpha),
        value(*alarms_per_week)
    ));
    match trial {
        Some(trial) => line(format!(
            "  each compared with the others: {} of {} drift, {} warn",
            trial.drift, trial.windows, trial.warned
        )),
        None => line("  too few windows to compare them with each other".to_owned()),
    }
    if detectable.is_empty() {
        return line("  too few records per window to detect anything".to_owned());
    }
    line("  smallest change detected 4 times out of 5:".to_owned());
    line(format!("    {:<20} {:<38} {:>10} {:>10}  unit", "feature", "what", "warn", "drift"));
    for Detectable { feature, what, unit, sure, large } in detectable {
        let size = |size: &Option<f64>| size.map_or("none".to_owned(), value);
        let mut row = String::new();
        write!(row, "    {:<20} {:<38} ", tame(feature, 20), tame(what, 38)).ok(); // a String takes any text
        line(format!("{row}{:>10} {:>10}  {unit}", size(sure), size(large)));
    }
}
