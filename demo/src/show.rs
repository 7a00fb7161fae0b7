//! The demo's loop: hears what its threads say, keeps the books, adapts the pace, and draws.
//!
//! One thread owns all of it. The run has three parts: sending, waiting for the last answers, and reading both topics
//! to their end after the pipeline has stopped, so that a duplicate written late is still seen.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::act::{Act, Moment};
use crate::error::DemoError;
use crate::event::Event;
use crate::lines::Lines;
use crate::pace::Pace;
use crate::sender::SharedPace;
use crate::tally::Tally;
use crate::terminal::{Asked, Terminal};
use crate::view::{Facts, History, Phase, Stretch, View};
use crate::watch::Watch;

/// Between two frames of the screen.
const FRAME: Duration = Duration::from_millis(100);
/// Answers still owed after this much waiting are lost.
const DRAIN: Duration = Duration::from_secs(30);

/// Where the run is shown.
pub(crate) enum Display {
    Screen(Terminal),
    Lines(Lines),
}

/// What the loop stops, each in its time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switches {
    /// Cancelled by the user, or when the time is over: send nothing more.
    pub(crate) sending: CancellationToken,
    /// Cancelled by the first answer: the path is warm, and the stream may flow.
    pub(crate) flowing: CancellationToken,
    /// Cancelled midway: customers start to write of other things.
    pub(crate) changed: CancellationToken,
    /// Cancelled when no answer is owed: the pipeline stops.
    pub(crate) pipeline: CancellationToken,
    /// Cancelled when the pipeline has stopped: the readers read to the end.
    pub(crate) reading: CancellationToken,
    /// Cancelled at the very end: the drift worker stops.
    pub(crate) watching: CancellationToken,
}

impl Switches {
    /// For a run that failed: nobody is to wait for anything.
    pub(crate) fn end_all(&self) {
        for switch in [&self.sending, &self.flowing, &self.changed, &self.pipeline, &self.reading, &self.watching] {
            switch.cancel();
        }
    }
}

/// The running demo.
pub(crate) struct Show {
    facts: Facts,
    display: Display,
    events: Receiver<Event>,
    switches: Switches,
    pace: Pace,
    shared_pace: SharedPace,
    tally: Tally,
    history: History,
    watch: Watch,
    started: Instant,
    /// When the last record was delivered.
    sent: Option<Instant>,
    /// What the run is longer for than it was to be.
    stretch: Option<Stretch>,
    /// Readers that have not yet read to the end.
    readers: usize,
}

/// What a show is made of.
pub(crate) struct Parts {
    pub(crate) facts: Facts,
    pub(crate) display: Display,
    pub(crate) events: Receiver<Event>,
    pub(crate) switches: Switches,
    pub(crate) pace: Pace,
    pub(crate) shared_pace: SharedPace,
    pub(crate) readers: usize,
}

/// How the show ended.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) facts: Facts,
    pub(crate) tally: Tally,
    pub(crate) watch: Watch,
    /// From the first record to the last.
    pub(crate) sending: Duration,
    /// What it was longer for than it was to be, in the end.
    pub(crate) stretch: Option<Stretch>,
}

impl Show {
    /// The show starts now.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { facts, display, events, switches, pace, shared_pace, readers } = parts;
        let started = Instant::now();
        let (tally, history) = (Tally::new(), History::new(started));
        let watch = Watch::default();
        Self {
            facts,
            display,
            events,
            switches,
            pace,
            shared_pace,
            tally,
            history,
            watch,
            started,
            sent: None,
            stretch: None,
            readers,
        }
    }

    /// Runs to the end and gives the terminal back.
    ///
    /// # Errors
    /// When a thread of the demo fails, the screen cannot be drawn, or the user asks a second time to stop.
    pub(crate) fn run(mut self) -> Result<Shown, DemoError> {
        while self.readers > 0 {
            self.hear_until(Instant::now() + FRAME)?;
            self.move_on(Instant::now());
            self.draw()?;
        }
        let sending = self.sent.unwrap_or_else(Instant::now) - self.started;
        let Self { facts, tally, watch, stretch, .. } = self;
        Ok(Shown { facts, tally, watch, sending, stretch })
    }

    fn hear_until(&mut self, deadline: Instant) -> Result<(), DemoError> {
        while let Some(wait) = deadline.checked_duration_since(Instant::now()) {
            match self.events.recv_timeout(wait) {
                Ok(event) => self.hear(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.readers = 0;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, event: Event) -> Result<(), DemoError> {
        match event {
            Event::Sent { number, expected, at } => self.tally.sent(number, expected, at),
            Event::NotSent { number } => self.tally.not_sent(number),
            Event::AllSent => self.sent = Some(Instant::now()),
            Event::Answered { answer, at } => {
                self.switches.flowing.cancel();
                self.tally.answered(answer, at);
            }
            Event::Judged(window) => self.watch.hear(window),
            Event::PipelineEnded => {
                self.switches.sending.cancel();
                self.switches.reading.cancel();
            }
            Event::AllRead => self.readers = self.readers.saturating_sub(1),
            Event::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// Throws the switches whose time has come, and once a second looks at the pace.
    fn move_on(&mut self, now: Instant) {
        let act = Act { facts: &self.facts, watch: &self.watch, elapsed: now - self.started };
        let (change, end) = (act.change(self.tally.counts().sent), act.end());
        if change == Moment::Now && !self.switches.changed.is_cancelled() {
            self.switches.changed.cancel();
            self.watch.changed(jiff::Timestamp::now().as_millisecond());
        }
        if end == Moment::Now {
            self.switches.sending.cancel();
        }
        if !self.switches.sending.is_cancelled() {
            let stretch = |moment| if let Moment::Later(stretch) = moment { Some(stretch) } else { None };
            self.stretch = stretch(end).or(stretch(change));
        }
        if self.sent.is_some_and(|sent| self.tally.unanswered() == 0 || now - sent >= DRAIN) {
            self.switches.pipeline.cancel();
        }
        self.tally.age(now);
        if self.history.observe(&self.tally, now) && self.sent.is_none() {
            self.pace.adapt(self.tally.recent_latency(0.5), self.tally.unanswered());
            self.shared_pace.set(self.pace.records_per_second());
        }
    }

    fn draw(&mut self) -> Result<(), DemoError> {
        let view = View {
            facts: &self.facts,
            tally: &self.tally,
            history: &self.history,
            watch: &self.watch,
            stretch: self.stretch,
            phase: if self.switches.sending.is_cancelled() { Phase::Draining } else { Phase::Sending },
            elapsed: self.started.elapsed(),
            pace: self.pace.records_per_second(),
        };
        let terminal = match &mut self.display {
            Display::Lines(lines) => return lines.show(&view).map_err(DemoError::Screen),
            Display::Screen(terminal) => terminal,
        };
        terminal.show(&view).map_err(DemoError::Screen)?;
        match terminal.asked_to_stop().map_err(DemoError::Screen)? {
            Asked::No => Ok(()),
            Asked::Once => {
                self.switches.sending.cancel();
                Ok(())
            }
            Asked::Again => Err(DemoError::Interrupted),
        }
    }
}
