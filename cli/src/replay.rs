//! `labelstream replay`: dead letters back to the topics they came from, exactly once.
//!
//! It is a pipeline of its own: a consumer group, a transaction per batch, offsets in the same transaction. What it has
//! passed it does not see again: records of other reasons and records that are no dead letters are passed over, too. It
//! works up to the end that the dead-letter topic has when it starts, so what fails again is left for the next time.
//!
//! One record never stops it: a dead letter whose record is no longer where it was, or is refused by the topic that it
//! goes to, is told and passed over.

mod letter;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use formats::dead_letter::NotADeadLetter;
use kafka::consumer::KafkaSource;
use kafka::error::TransactError;
use kafka::identity::Identity;
use kafka::originals::Originals;
use kafka::outgoing::Outgoing;
use kafka::settings::UntilEnd;
use kafka::source::{Source, SourceError, SourceEvent};
use kafka::transactor::{Published, Transactor};
use schemas::{Generation, Origin, RawEvent, Reason, Recovery, Ticket, content_bytes};
use tokio_util::sync::CancellationToken;
use workers::brokers;
use workers::settings::Config;
use workers::settings::uses;

use crate::failure::{Failure, refuse_losses};
use crate::settings_arguments::SettingsArguments;
use crate::start::{self, Started};
use letter::{Fate, Letter};

/// Records per transaction: far above what makes a transaction's own cost small, far below memory that matters.
const BATCH_RECORDS: usize = 500;
/// Bytes per transaction, for dead letters that are themselves large.
const BATCH_BYTES: usize = 8 << 20;
/// The largest record that goes back. What its topic takes is for the topic to say.
const RECORD_BYTES_MAX: usize = 128 << 20;
/// Reading one record again at its origin.
const ORIGINAL_WITHIN: Duration = Duration::from_secs(30);
/// Records of which the report tells why they were not replayed; the others are counted.
const TOLD_MAX: usize = 10;
/// Records shown one by one that are no dead letters.
const EXAMPLES_MAX: usize = 5;
/// The replica's name in the transactional id: two replays of one group at once would fence each other.
const INSTANCE: &str = "replay";

const EXAMPLES: &str = "\
Examples:
  labelstream replay --dead-letter messages-dead-letters --dry-run
  labelstream replay --dead-letter messages-dead-letters --reason model_failed
  labelstream replay --dead-letter messages-dead-letters --to messages-fixed

A dead letter is sent back as the original record: the same bytes, key, headers and timestamp. If it was too large for \
its topic and was written without a part of the record, that part is read from the original topic. A replay never \
returns to dead letters that it has passed, whatever their reason; use a new --replay-group to start at the first one.";

/// Send dead letters back to the topics they came from, exactly once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Only dead letters of this reason; can be repeated
    #[arg(long, value_name = "REASON", value_parser = PossibleValuesParser::new(Reason::ALL.iter().map(|reason| reason.name())))]
    reason: Vec<String>,
    /// Send to this topic instead of the original ones
    #[arg(long, value_name = "TOPIC")]
    to: Option<String>,
    /// Count what would be sent, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Consumer group that stores the progress of replays [default: labelstream-replay- and the dead-letter topic]
    #[arg(long, value_name = "NAME")]
    replay_group: Option<String>,
}

/// What became of the records of the dead-letter topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    replayed: BTreeMap<(Arc<str>, Reason), u64>,
    passed_over: BTreeMap<Why, u64>,
    /// The first records that were passed over though nobody asked for it.
    examples: Vec<(Origin, NotADeadLetter)>,
    /// Why each of these dead letters is left where it is, by its origin.
    left: Vec<String>,
}

/// Why a record is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// A dead letter of a reason that was not asked for.
    OtherReason(Reason),
    Foreign(NotADeadLetter),
}

/// Records on the way back, with the progress that they stand for.
struct Open {
    records: Vec<Outgoing>,
    /// The reason and the origin of each.
    letters: Vec<(Reason, Origin)>,
    bytes: usize,
    ticket: Ticket,
    tally: Tally,
}

/// Which dead letters go where.
struct Route {
    reasons: Vec<Reason>,
    to: Option<Arc<str>>,
}

/// Replays up to the present end of the dead-letter topic and reports.
///
/// # Errors
/// When the dead-letter topic or a topic to write is missing, or the broker refuses.
pub fn run(arguments: &ReplayArguments) -> Result<(), Failure> {
    let Started { config, stop, .. } = start::command(&arguments.settings.layers()?, uses::REPLAY)?;
    if !brokers::await_answer(&config, config.sink().dead_letter_topic(), &stop)? {
        return Ok(());
    }
    let reasons = arguments.reason.iter().filter_map(|name| name.parse().ok()).collect();
    let route = Route { reasons, to: arguments.to.as_deref().map(Arc::from) };
    let mut replay = Replay::connect(arguments, &config)?;
    let tally = replay.run(&route, &stop)?;
    let dead_letters = config.sink().dead_letter_topic();
    let mut out = io::stdout().lock();
    write_report(&mut out, &tally, dead_letters, arguments.dry_run)
        .and_then(|()| if stop.is_cancelled() { writeln!(out, "stopped before the end") } else { Ok(()) })
        .map_err(Failure::Stdout)?;
    refuse_losses(replay.source.leases().losses())
}

/// Reads a record again at its origin; `None` when it is no longer there.
type Fetch<'a> = &'a dyn Fn(&Origin) -> Result<Option<RawEvent>, SourceError>;

struct Replay {
    source: KafkaSource,
    originals: Originals,
    /// `None` in a dry run.
    publisher: Option<Transactor>,
    rewinds_max: u32,
}

impl Replay {
    fn connect(arguments: &ReplayArguments, config: &Config) -> Result<Self, Failure> {
        let topic = config.sink().dead_letter_topic().to_owned();
        let group = arguments.replay_group.clone().unwrap_or_else(|| format!("labelstream-replay-{topic}"));
        let until = if arguments.dry_run { UntilEnd::Delivered } else { UntilEnd::Committed };
        let source = config.source().clone().reading(vec![topic], group.clone()).until_end(until);
        let source = KafkaSource::start(config.connection(), source)?;
        let publisher = if arguments.dry_run {
            None
        } else {
            let identity = Identity { group, instance: INSTANCE.to_owned(), ..config.identity() };
            let transactor = config.sink().transactor().clone();
            let transactor = transactor.exactly_once().with_message_bytes_max(RECORD_BYTES_MAX);
            Some(Transactor::connect(transactor, identity, source.leases().lease_fn(), &[])?)
        };
        let originals = Originals::new(config.connection(), ORIGINAL_WITHIN)?;
        Ok(Self { source, originals, publisher, rewinds_max: config.supervision().rewinds_max })
    }

    fn run(&mut self, route: &Route, stop: &CancellationToken) -> Result<Tally, Failure> {
        let reactor = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Failure::Reactor)?;
        let (mut done, mut open, mut rewinds) = (Tally::default(), Open::new(Generation::default()), 0);
        loop {
            let event = reactor.block_on(async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => None,
                    event = self.source.next() => Some(event),
                }
            });
            let is_idle = match event.transpose()? {
                // Stopped: what is open was not published.
                None => return Ok(done),
                Some(SourceEvent::End) => {
                    done.add(open.tally);
                    return Ok(done);
                }
                Some(SourceEvent::Record(record, generation)) => {
                    open.sort(record, generation, route, &|origin| self.originals.read(origin))?;
                    false
                }
                Some(SourceEvent::Tick) => true,
                Some(SourceEvent::Lost) => {
                    open = Open::new(open.ticket.generation());
                    if self.publisher.is_none() {
                        done = Tally::default(); // nothing is committed: all of it is read again
                    }
                    continue;
                }
            };
            let is_due = open.is_full() || (is_idle && open.covers_any());
            if !is_due {
                continue;
            }
            let batch = std::mem::replace(&mut open, Open::new(Generation::default()));
            match self.publish(batch) {
                Ok(tally) => {
                    rewinds = 0;
                    done.add(tally);
                }
                Err(error) if error.recovery() == Recovery::Rewind && rewinds < self.rewinds_max => {
                    rewinds += 1;
                    tracing::warn!(%error, rewinds, "replay failed, restarting from committed offsets");
                    self.source.rewind()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What is replayed for good; nothing when the records will be read again.
    fn publish(&mut self, open: Open) -> Result<Tally, TransactError> {
        let mut tally = open.tally;
        let Some(publisher) = &mut self.publisher else { return Ok(tally) };
        let (published, refused) = publisher.forward_the_accepted(open.records, &open.ticket)?;
        if published == Published::Stale {
            return Ok(Tally::default());
        }
        for refused in refused {
            let (reason, origin) = &open.letters[refused.place];
            if let Some(count) = tally.replayed.get_mut(&(Arc::clone(&refused.topic), *reason)) {
                *count -= 1;
            }
            tally.left.push(format!("{origin}: topic {} refuses it: {}", refused.topic, refused.rule));
        }
        Ok(tally)
    }
}

impl Open {
    fn new(generation: Generation) -> Self {
        Self {
            records: Vec::new(),
            letters: Vec::new(),
            bytes: 0,
            ticket: Ticket::new(generation),
            tally: Tally::default(),
        }
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    fn covers_any(&self) -> bool {
        !self.ticket.next_offsets().is_empty()
    }

    /// Takes one record of the dead-letter topic: it goes back, or is passed over.
    fn sort(
        &mut self,
        record: RawEvent,
        generation: Generation,
        route: &Route,
        fetch: Fetch<'_>,
    ) -> Result<(), SourceError> {
        if self.ticket.generation() != generation {
            *self = Self::new(generation);
        }
        self.ticket.cover(&record.origin);
        let place = record.origin.clone();
        let letter = match Letter::read(record) {
            Ok(letter) => letter,
            Err(error) => {
                self.tally.pass_over(Why::Foreign(error), &place);
                return Ok(());
            }
        };
        if !route.reasons.is_empty() && !route.reasons.contains(&letter.reason) {
            self.tally.pass_over(Why::OtherReason(letter.reason), &place);
            return Ok(());
        }
        let (reason, origin) = (letter.reason, letter.origin.clone());
        let topic = route.to.clone().unwrap_or_else(|| Arc::clone(&origin.topic));
        match letter.back(&topic, fetch)? {
            Fate::Back(record) => {
                self.bytes += content_bytes(record.key.as_deref(), record.payload.as_deref(), &record.headers);
                *self.tally.replayed.entry((topic, reason)).or_default() += 1;
                self.letters.push((reason, origin));
                self.records.push(record);
            }
            Fate::Left(why) => self.tally.left.push(format!("{origin}: {why}")),
        }
        Ok(())
    }
}

impl Tally {
    fn pass_over(&mut self, why: Why, origin: &Origin) {
        *self.passed_over.entry(why).or_default() += 1;
        if let Why::Foreign(error) = why
            && self.examples.len() < EXAMPLES_MAX
        {
            self.examples.push((origin.clone(), error));
        }
    }

    fn add(&mut self, other: Self) {
        for (what, count) in other.replayed {
            *self.replayed.entry(what).or_default() += count;
        }
        for (why, count) in other.passed_over {
            *self.passed_over.entry(why).or_default() += count;
        }
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
        self.left.extend(other.left);
    }
}

fn write_report(out: &mut impl Write, tally: &Tally, dead_letters: &str, dry_run: bool) -> io::Result<()> {
    let verb = if dry_run { "would replay" } else { "replayed" };
    let total: u64 = tally.replayed.values().sum();
    writeln!(out, "{verb} {total} of the dead letters in {dead_letters}")?;
    for ((topic, reason), count) in tally.replayed.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "  {count:>8}  {reason} to {topic}")?;
    }
    for (why, count) in &tally.passed_over {
        match why {
            Why::OtherReason(reason) => writeln!(out, "  {count:>8}  {reason}, skipped: not the requested reason")?,
            Why::Foreign(error) => writeln!(out, "  {count:>8}  not dead letters, skipped: {error}")?,
        }
    }
    for (origin, error) in &tally.examples {
        writeln!(out, "            such as {origin}: {error}")?;
    }
    if !tally.left.is_empty() {
        writeln!(out, "  {:>8}  not replayed:", tally.left.len())?;
        tally.left.iter().take(TOLD_MAX).try_for_each(|why| writeln!(out, "            {why}"))?;
    }
    if let Some(more @ 1..) = tally.left.len().checked_sub(TOLD_MAX) {
        writeln!(out, "            and {more} more")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use formats::dead_letter;
    use schemas::{DeadLetter, Header};

    use super::*;

    fn record(offset: i64, headers: Vec<Header>) -> RawEvent {
        RawEvent {
            origin: Origin { topic: "dead".into(), partition: 1, offset },
            key: Some(b"key".to_vec()),
            payload: Some(b"\xff".to_vec()),
            headers,
            timestamp_ms: Some(5),
        }
    }

    fn dead_letter(offset: i64, reason: Reason) -> RawEvent {
        let mut raw = record(offset, vec![Header { name: "own".to_owned(), value: None }]);
        raw.origin = Origin { topic: "messages".into(), partition: 3, offset: 77 };
        let headers = dead_letter::headers(&DeadLetter::new(raw, reason, "why"));
        record(offset, headers)
    }

    fn nowhere(_: &Origin) -> Result<Option<RawEvent>, SourceError> {
        Ok(None)
    }

    fn sorted(route: &Route) -> Open {
        let mut open = Open::new(Generation::default());
        let records = [dead_letter(0, Reason::NotUtf8), dead_letter(1, Reason::ModelFailed), record(4, Vec::new())];
        for record in records {
            open.sort(record, Generation::default(), route, &nowhere).expect("nothing is read again");
        }
        open
    }

    #[test]
    fn a_dead_letter_goes_back_as_the_record_it_was() {
        let open = sorted(&Route { reasons: Vec::new(), to: None });
        assert_eq!(open.records.len(), 2);
        assert_eq!(
            open.records[0],
            Outgoing {
                topic: "messages".into(),
                partition: 3,
                key: Some(b"key".to_vec()),
                payload: Some(b"\xff".to_vec()),
                headers: vec![Header { name: "own".to_owned(), value: None }],
                timestamp_ms: Some(5),
            }
        );
        let no_reason = Why::Foreign(NotADeadLetter::Missing(dead_letter::REASON_HEADER));
        assert_eq!(open.tally.passed_over, BTreeMap::from([(no_reason, 1)]));
        assert_eq!(open.ticket.next_offsets().values().collect::<Vec<_>>(), [&5], "passed over is passed, too");
    }

    #[test]
    fn reasons_and_target_are_the_users() {
        let open = sorted(&Route { reasons: vec![Reason::ModelFailed], to: Some("mended".into()) });
        let targets: Vec<_> = open.records.iter().map(|record| &*record.topic).collect();
        assert_eq!(targets, ["mended"]);
        let mut report = Vec::new();
        write_report(&mut report, &open.tally, "dead", true).expect("a Vec takes it");
        assert_eq!(
            String::from_utf8(report).expect("text"),
            "would replay 1 of the dead letters in dead\n         1  model_failed to mended\n         1  not_utf8, \
             skipped: not the requested reason\n         1  not dead letters, skipped: header \
             labelstream-dead-letter-reason is missing\n            such as dead[1]@4: header \
             labelstream-dead-letter-reason is missing\n"
        );
    }

    #[test]
    fn the_report_tells_why_dead_letters_are_left() {
        let left = (0..12).map(|offset| format!("messages[0]@{offset}: why")).collect();
        let tally = Tally { left, replayed: [(("a".into(), Reason::Empty), 0)].into(), ..Tally::default() };
        let mut report = Vec::new();
        write_report(&mut report, &tally, "dead", false).expect("a Vec takes it");
        let report = String::from_utf8(report).expect("text");
        let start =
            "replayed 0 of the dead letters in dead\n        12  not replayed:\n            messages[0]@0: why\n";
        assert!(report.starts_with(start), "{report}");
        assert!(report.ends_with("            messages[0]@9: why\n            and 2 more\n"), "{report}");
    }

    #[test]
    fn a_new_generation_voids_what_is_open() {
        let mut open = sorted(&Route { reasons: Vec::new(), to: None });
        let later = Generation::default().next();
        let route = Route { reasons: Vec::new(), to: None };
        open.sort(dead_letter(0, Reason::Empty), later, &route, &nowhere).expect("nothing is read again");
        assert_eq!((open.records.len(), open.ticket.generation()), (1, later));
    }
}
