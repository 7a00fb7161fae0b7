//! One slot in the queue: what waits for it, and how a task is cut from that. A pure struct.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::answer::{Answer, Class};
use crate::batching::{self, Budget};
use crate::cache::Cache;

/// Texts that a worker tokenises before it looks for other work: about the time of one short run, so that an urgent text
/// does not wait for a backlog to be tokenised, and several workers share one.
const TOKENISE_TEXTS: usize = 16;

/// Times that texts may be tokenised before rows of the same lane are run: enough for 128 rows to cut a run from, so that
/// texts which keep coming do not keep those before them from being run.
pub(crate) const TOKENISED_IN_A_ROW: u32 = 8;

/// Rows among which a run is cut. On a stream of mixed lengths 128 rows give nearly all that sorting can save; rows
/// beyond that only cost the time to sort them, and memory for their tokens.
const WINDOW_ROWS: usize = 512;

/// Names a text under way; older texts have smaller ones.
pub(crate) type JobId = u64;
/// Names a slot; never given again.
pub(crate) type SlotId = u64;

/// What the queue must know of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneConfig {
    /// The model whose sessions run its rows.
    pub(crate) model: usize,
    pub(crate) budget: Budget,
    pub(crate) cache_entries: usize,
}

/// What a free worker does next.
#[derive(Debug)]
pub(crate) enum Task {
    Tokenise {
        slot: SlotId,
        texts: Vec<(JobId, Arc<str>)>,
    },
    /// Rows of one slot: the text, which of its windows, and its tokens.
    Run {
        slot: SlotId,
        rows: Vec<(JobId, usize, Vec<u32>)>,
        oldest: JobId,
    },
}

/// A slot with what waits for it.
pub(crate) struct Lane {
    pub(crate) config: LaneConfig,
    pub(crate) cache: Cache<Answer>,
    /// By class.
    pub(crate) waiting: [Waiting; Class::ALL.len()],
    /// No text comes in any more.
    pub(crate) is_closed: bool,
    /// Texts under way, and tasks in the hands of workers.
    pub(crate) texts: usize,
    pub(crate) tasks: usize,
}

impl Lane {
    pub(crate) fn new(config: LaneConfig) -> Self {
        let (cache, waiting) = (Cache::new(config.cache_entries), Default::default());
        Self { config, cache, waiting, is_closed: false, texts: 0, tasks: 0 }
    }

    /// The next task of a class of which something waits; `text` says what a text under way is.
    pub(crate) fn task(&mut self, slot: SlotId, class: Class, text: impl Fn(JobId) -> Arc<str>) -> Task {
        self.tasks += 1;
        let waiting = &mut self.waiting[class as usize];
        let may_tokenise = waiting.rows.len() < WINDOW_ROWS && waiting.tokenised < TOKENISED_IN_A_ROW;
        if !waiting.texts.is_empty() && (may_tokenise || waiting.rows.is_empty()) {
            waiting.tokenised += 1;
            let ids = waiting.texts.drain(..waiting.texts.len().min(TOKENISE_TEXTS));
            let texts = ids.map(|id| (id, text(id))).collect();
            return Task::Tokenise { slot, texts };
        }
        waiting.tokenised = 0;
        let window = waiting.rows.iter().take(WINDOW_ROWS);
        let lengths: Vec<usize> = window.clone().map(|row| row.tokens.len()).collect();
        let (oldest, place) = window.zip(0..).map(|(row, place)| (row.job, place)).min().expect("something waits");
        let mut places = batching::cut(&lengths, place, self.config.budget);
        places.sort_unstable();
        let taken = places.iter().rev().map(|place| waiting.rows.remove(*place).expect("a place in the window"));
        let rows = taken.map(|row| (row.job, row.window, row.tokens)).collect();
        Task::Run { slot, rows, oldest }
    }
}

/// What waits of one class for one slot; the oldest first.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) texts: VecDeque<JobId>,
    pub(crate) rows: VecDeque<WaitingRow>,
    /// Tasks of tokenising since its last run.
    pub(crate) tokenised: u32,
}

pub(crate) struct WaitingRow {
    pub(crate) job: JobId,
    pub(crate) window: usize,
    pub(crate) tokens: Vec<u32>,
}

impl Waiting {
    pub(crate) fn oldest(&self) -> Option<JobId> {
        self.texts.front().copied().into_iter().chain(self.rows.iter().map(|row| row.job).min()).min()
    }
}
