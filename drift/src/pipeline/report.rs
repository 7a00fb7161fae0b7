//! The reporting stage: follows the state topic, and while this process reports, tests every window that is due and
//! writes its report before the record that closes it goes to the next checkpoint.
//!
//! One report is under way at a time, because a window may be compared with the one before it. When the store fails, the
//! report is kept and written again with growing pauses; the windows behind it stay in the state, and are counted, so
//! that reading can wait for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kafka::clock::now_ms;
use kafka::table::{Change, KafkaTable};
use schemas::report::WindowReport;
use schemas::{Generation, Recovery};
use service::chain;
use service::stages::{Pulse, Work};
use sink::reports::{ReportStore, StoreError};
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Role};
use super::labels::{Labels, LabelsFrom};
use super::{Limits, PipelineError, Progress, Stage};
use crate::board::{Board, Clock, Due, Frontier, Kept, MergedWindow};
use crate::compare::{Comparer, Comparison};
use crate::metrics::{self, Series};
use crate::state::{Key, StateError, TopicPartition};
use crate::verdict::{Overall, overall};
use crate::window::Granularity;

/// How often the state topic and the clock are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// The pause after a store's first failure; it doubles with each one in a row, up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How often windows are looked at while nothing changes, and those behind a report that waits are counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What the stage looks at and does not change.
pub(super) struct Context<'a> {
    pub(super) table: &'a KafkaTable,
    pub(super) store: &'a ReportStore,
    pub(super) comparer: &'a Comparer,
    pub(super) limits: &'a Limits,
    pub(super) labels: Option<&'a LabelsFrom>,
    pub(super) desk: &'a Desk,
    pub(super) progress: &'a Progress,
}

pub(super) struct Reporter<'a> {
    context: Context<'a>,
    pulse: Pulse,
    kept: BTreeMap<Granularity, Kept>,
    series: Series,
    outage: Option<Outage>,
}

/// The store fails.
struct Outage {
    pause: Duration,
    next_attempt: Instant,
}

/// What one generation's reporter knows.
struct Book {
    generation: Generation,
    board: Board,
    expected: Arc<BTreeSet<TopicPartition>>,
    begun_at: Instant,
    /// Partitions whose progress was saved since: their owners are alive.
    heard: BTreeSet<TopicPartition>,
    due: VecDeque<Due>,
    /// Made, and not in the store yet.
    unwritten: Option<(MergedWindow, Comparison)>,
    counted_at: Instant,
    /// When windows were last looked at.
    looked_at: Option<Instant>,
    labels: Option<Labels>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(context: Context<'a>) -> Self {
        let (pulse, kept) = (context.progress.pulse(Stage::Report), context.comparer.kept());
        Self { context, pulse, kept, series: Series::default(), outage: None }
    }

    /// Reports until the other stages end.
    pub(super) fn run(mut self, ended: &CancellationToken) -> Result<(), PipelineError> {
        let Context { table, desk, .. } = self.context;
        let (mut role, mut book) = (Role::None, None);
        while !ended.is_cancelled() {
            let newest = desk.wait(role, LOOK);
            let pulse = self.pulse.clone();
            let _reports = pulse.work(Work::of("find due windows and report them"));
            table.check()?;
            let changes = table.take_changes();
            let is_news = !changes.is_empty() || newest != role;
            metrics::state(table.bytes());
            if generation(newest) != generation(role) {
                // Read in one go; what changes meanwhile comes once more with the next changes.
                book = generation(newest).map(|generation| self.open(generation)).transpose()?;
            } else if let Some(book) = &mut book {
                book.apply(changes)?;
            }
            role = newest;
            match &mut book {
                Some(book) if is_news || book.is_worth_a_look() => self.attend(book, role, ended)?,
                Some(_) => {}
                None => self.tell_pending(0),
            }
        }
        Ok(())
    }

    fn open(&self, generation: Generation) -> Result<Book, PipelineError> {
        let Context { table, limits, labels, desk, .. } = self.context;
        let entries = table.entries();
        let labels = labels.map(|from| Labels::open(from, &limits.windows, &entries)).transpose()?;
        let board = Board::load(Arc::clone(&limits.windows), self.kept.clone(), entries)?;
        let now = Instant::now();
        Ok(Book {
            generation,
            board,
            expected: desk.expected(),
            begun_at: now,
            heard: BTreeSet::new(),
            due: VecDeque::new(),
            unwritten: None,
            counted_at: now,
            looked_at: None,
            labels,
        })
    }

    /// Reports what is due, and removes what nobody needs.
    fn attend(&mut self, book: &mut Book, role: Role, ended: &CancellationToken) -> Result<(), PipelineError> {
        let Context { limits, desk, .. } = self.context;
        book.looked_at = Some(Instant::now());
        let is_ending = matches!(role, Role::Reporter { is_ending: true, .. });
        let clock = book.clock(is_ending, Duration::from_millis(limits.windows.idle_ms().unsigned_abs()));
        let Some(frontier) = book.board.frontier(&book.expected, clock) else { return Ok(()) };
        while !ended.is_cancelled() && !desk.is_full() && desk.is_current(book.generation) {
            let Some((merged, comparison)) = self.next(book, &frontier)? else { break };
            if !self.write(&comparison.report, comparison.flags.len()) {
                book.unwritten = Some((merged, comparison));
                break;
            }
            let closed = book.board.closed(&merged, comparison.flags);
            desk.offer(book.generation, vec![closed]);
        }
        self.count_pending(book, &frontier)?;
        let expired = book.board.expired(&frontier);
        let has_labels_left = self.revise(book)?;
        let is_quiet = book.unwritten.is_none() && book.due.is_empty() && expired.is_empty() && !has_labels_left;
        if !expired.is_empty() {
            desk.offer(book.generation, expired);
        }
        if clock == Clock::Ended && is_quiet && book.board.pending() == 0 {
            desk.done(book.generation);
        }
        Ok(())
    }

    /// Reports what true labels tell of windows that closed before. True: there is more of it to come.
    fn revise(&mut self, book: &mut Book) -> Result<bool, PipelineError> {
        let desk = self.context.desk;
        let Some(labels) = &mut book.labels else { return Ok(false) };
        labels.read()?;
        while !desk.is_full() && self.may_write() {
            let Some(revision) = labels.next()? else { break };
            if !self.write(&revision.report, 0) {
                labels.keep(revision);
                break;
            }
            labels.written(revision);
        }
        let entries = labels.checkpoint();
        let is_quiet = labels.is_quiet() && entries.is_empty();
        if !entries.is_empty() {
            desk.offer(book.generation, entries);
        }
        Ok(!is_quiet)
    }

    /// Whether the store is well, or it is time to try it again.
    fn may_write(&self) -> bool {
        self.outage.as_ref().is_none_or(|outage| Instant::now() >= outage.next_attempt)
    }

    /// The next report to write: the one that was not taken, else one of the next window that is due.
    fn next(&self, book: &mut Book, frontier: &Frontier) -> Result<Option<(MergedWindow, Comparison)>, StateError> {
        if !self.may_write() {
            return Ok(None);
        }
        if let Some(unwritten) = book.unwritten.take() {
            return Ok(Some(unwritten));
        }
        if book.due.is_empty() {
            book.due = book.board.due(frontier)?.into();
        }
        let Some(due) = book.due.pop_front() else { return Ok(None) };
        let merged = book.board.window(&due)?;
        let comparison = self.context.comparer.report(&merged, book.board.history());
        Ok(Some((merged, comparison)))
    }

    /// Writes a report. False: the store failed, try again later.
    fn write(&mut self, report: &WindowReport, flagged: usize) -> bool {
        let started = Instant::now();
        self.pulse.beat();
        let written = self.context.store.write(report);
        self.pulse.beat();
        if let Err(error) = written {
            metrics::store_failed();
            let is_hopeless = is_hopeless(&error);
            if is_hopeless {
                let (granularity, start_ms) = (&report.granularity, report.key.window_start_ms);
                tracing::error!(
                    granularity,
                    start_ms,
                    error = chain(&error),
                    "a report is skipped: no store can accept it"
                );
            } else {
                self.failed(&error);
            }
            return is_hopeless;
        }
        if self.outage.take().is_some() {
            tracing::info!("the report store accepts reports again");
        }
        metrics::reported(report, &mut self.series, started.elapsed(), now_ms());
        self.context.progress.reported(report);
        say(report, flagged);
        true
    }

    /// Says once that the store fails, and waits ever longer.
    fn failed(&mut self, error: &StoreError) {
        let pause = match &self.outage {
            Some(outage) => (outage.pause * 2).min(RETRY_MAX),
            None => {
                tracing::warn!(
                    error = chain(error),
                    "the report store failed; reports are kept and retried, nothing is lost"
                );
                RETRY_FIRST
            }
        };
        self.outage = Some(Outage { pause, next_attempt: Instant::now() + pause });
    }

    /// Counts the windows that wait for the store, so that reading waits when they are too many.
    fn count_pending(&self, book: &mut Book, frontier: &Frontier) -> Result<(), StateError> {
        if self.outage.is_some() && book.counted_at.elapsed() >= COUNT_EVERY {
            book.counted_at = Instant::now();
            book.due = book.board.due(frontier)?.into();
        }
        self.tell_pending(book.due.len() + usize::from(book.unwritten.is_some()));
        Ok(())
    }

    fn tell_pending(&self, pending: usize) {
        metrics::pending(pending);
        self.context.progress.waits(pending);
        self.context.desk.overfull(pending > self.context.limits.pending_max);
    }
}

impl Book {
    fn apply(&mut self, changes: Vec<Change>) -> Result<(), StateError> {
        for Change { key, value } in changes {
            if let Ok(Key::Progress(source)) = String::from_utf8_lossy(&key).parse() {
                self.heard.insert(source);
            }
            if let Some(labels) = &mut self.labels {
                labels.apply(&key, value.as_ref())?;
            }
            self.board.apply(&key, value)?;
        }
        Ok(())
    }

    /// Whether something may be due though nothing changed on the state topic: there may be thousands of windows to look
    /// through, and the clock alone moves them once in a while.
    fn is_worth_a_look(&self) -> bool {
        let is_busy = self.unwritten.is_some() || !self.due.is_empty() || self.labels.is_some();
        is_busy || self.looked_at.is_none_or(|looked_at| looked_at.elapsed() >= COUNT_EVERY)
    }

    /// Which time it is for the windows. `idle` is how long idle marks from before this book are not believed.
    fn clock(&self, is_ending: bool, idle: Duration) -> Clock {
        let is_settled = self.begun_at.elapsed() >= idle;
        let idle_now: BTreeSet<&TopicPartition> = self
            .board
            .progress()
            .filter(|(source, progress)| progress.idle && (is_settled || self.heard.contains(*source)))
            .map(|(source, _)| source)
            .collect();
        match () {
            () if is_ending && self.expected.iter().all(|source| idle_now.contains(source)) => Clock::Ended,
            () if is_settled => Clock::At(now_ms()),
            () => Clock::Starting,
        }
    }
}

/// No repeat would help and no person could: a window of the year 10000, or a fault of ours. It must not stop the others.
fn is_hopeless(error: &StoreError) -> bool {
    let is_refusal = matches!(error, StoreError::Refused { .. }); // a person may fix what the store refuses
    error.recovery() == Recovery::Exit && !is_refusal
}

fn generation(role: Role) -> Option<Generation> {
    match role {
        Role::None => None,
        Role::Reporter { generation, .. } => Some(generation),
    }
}

/// One line a report, with what `labelstream drift explain` takes to show it.
fn say(report: &WindowReport, flagged: usize) {
    let (granularity, revision, is_final) = (&report.granularity, report.key.revision, report.key.is_final);
    let start_ms = report.key.window_start_ms;
    let window = Timestamp::from_millisecond(start_ms).map_or_else(|_| start_ms.to_string(), |start| start.to_string());
    if report.drift.is_empty() {
        tracing::info!(granularity, %window, revision, is_final, "performance revised");
        return;
    }
    let Overall { verdict, reason } = overall(&report.drift);
    tracing::info!(granularity, %window, revision, is_final, flagged, %verdict, reason, "window reported");
}
