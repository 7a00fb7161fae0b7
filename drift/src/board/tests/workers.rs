//! Workers that share partitions over one state topic, and die at any moment: the law's view of the live worker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use crate::board::{Board, Clock, Kept, MergedWindow};
use crate::partition::PartitionState;
use crate::partition::tests::{Observed, source};
use crate::settings::WindowConfig;
use crate::state::{Entry, Key, TopicPartition, Value};
use crate::window::{Granularity, Window};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Read {
        partition: usize,
        records: usize,
    },
    /// The worker saves what it owns, and reports when it is the reporter. Lost: it dies before the commit.
    Save {
        worker: usize,
        lost: bool,
    },
    Move {
        partition: usize,
        worker: usize,
    },
    Idle {
        partition: usize,
    },
}

pub(super) fn steps(idle: bool) -> impl Strategy<Value = Vec<Step>> {
    let read = (0..3_usize, 1..9_usize).prop_map(|(partition, records)| Step::Read { partition, records });
    let save = (0..4_usize, prop::bool::weighted(0.3)).prop_map(|(worker, lost)| Step::Save { worker, lost });
    let change = (0..3_usize, 0..4_usize).prop_map(|(partition, worker)| Step::Move { partition, worker });
    let idling = (0..3_usize).prop_map(|partition| Step::Idle { partition });
    prop::collection::vec(prop_oneof![8 => read, 5 => save, 1 => change, u32::from(idle) * 3 => idling], 0..60)
}

/// What a report says, to be told apart from another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) digest: String,
    pub(super) counts: Vec<u8>,
    pub(super) is_final: bool,
    pub(super) dropped: u64,
    pub(super) refused: u64,
}

impl From<&MergedWindow> for Told {
    fn from(merged: &MergedWindow) -> Self {
        let (digest, counts, refused) = (merged.digest(), merged.counts.encode(), merged.refused.values().sum());
        Self { digest, counts, is_final: merged.is_final, dropped: merged.late_dropped, refused }
    }
}

pub(super) fn nth(partition: usize) -> TopicPartition {
    source(i32::try_from(partition).expect("few partitions"))
}

pub(super) struct World<'a> {
    pub(super) config: Arc<WindowConfig>,
    logs: &'a [Vec<Observed>],
    pub(super) kept: BTreeMap<Granularity, Kept>,
    /// The compacted topic.
    pub(super) topic: BTreeMap<String, Arc<[u8]>>,
    owners: Vec<usize>,
    states: Vec<Option<PartitionState>>,
    pub(super) board: Board,
    pub(super) expected: BTreeSet<TopicPartition>,
    pub(super) clock: Clock,
    /// Every report that was written, closed or not; the newest bytes of its file.
    pub(super) reports: BTreeMap<(Window, i32), Told>,
    /// Reports that were written again with other bytes.
    pub(super) rewritten: usize,
    /// What closed records said about a revision.
    committed: BTreeMap<(Window, i32), String>,
}

impl<'a> World<'a> {
    pub(super) fn new(config: &Arc<WindowConfig>, logs: &'a [Vec<Observed>]) -> Self {
        let hour = Kept { counts_ms: 3_600_000, flags_ms: 0 };
        let kept: BTreeMap<_, _> = config.granularities().iter().map(|granularity| (*granularity, hour)).collect();
        Self {
            config: Arc::clone(config),
            logs,
            topic: BTreeMap::new(),
            owners: vec![0; logs.len()],
            states: logs.iter().map(|_| None).collect(),
            board: Board::new(Arc::clone(config), kept.clone()),
            kept,
            expected: (0..logs.len()).map(nth).collect(),
            clock: Clock::At(i64::MIN),
            reports: BTreeMap::new(),
            rewritten: 0,
            committed: BTreeMap::new(),
        }
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Read { partition, records } => self.read(partition % self.logs.len(), records),
            Step::Save { worker, lost: false } => self.save(worker),
            Step::Save { worker, lost: true } => self.lose(worker),
            Step::Move { partition, worker } => {
                let partition = partition % self.logs.len();
                self.owners[partition] = worker;
                self.states[partition] = None;
                if partition == 0 {
                    self.board = self.reload();
                }
            }
            Step::Idle { partition } => self.state(partition % self.logs.len()).set_idle(),
        }
    }

    fn reload(&self) -> Board {
        let entries = self.topic.iter().map(|(key, value)| (key.as_bytes().to_vec(), Arc::clone(value)));
        Board::load(Arc::clone(&self.config), self.kept.clone(), entries).expect("a readable topic")
    }

    /// The state of a partition: restored from the topic when its owner has none in memory.
    fn state(&mut self, partition: usize) -> &mut PartitionState {
        if self.states[partition].is_none() {
            let name = nth(partition);
            let saved = self.reload().saved(&name).expect("readable values");
            self.states[partition] = Some(PartitionState::restore(Arc::clone(&self.config), name, saved));
        }
        self.states[partition].as_mut().expect("restored above")
    }

    pub(super) fn read(&mut self, partition: usize, records: usize) {
        let logs = self.logs;
        let state = self.state(partition);
        let next = state.progress().next_offset;
        for (offset, outcome) in (0..).zip(&logs[partition]).skip_while(|(offset, _)| *offset < next).take(records) {
            assert!(state.observe(offset, outcome), "the committed offset is where the state ends");
        }
    }

    fn owned(&self, worker: usize) -> Vec<usize> {
        (0..self.logs.len()).filter(|partition| self.owners[*partition] == worker).collect()
    }

    /// What a checkpoint of this worker holds. Reports are written on the way, before anything is published.
    fn checkpoint(&mut self, worker: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        for partition in self.owned(worker) {
            entries.extend(self.state(partition).checkpoint());
        }
        if self.owners[0] == worker
            && let Some(frontier) = self.board.frontier(&self.expected, self.clock)
        {
            for due in self.board.due(&frontier).expect("readable partials") {
                let merged = self.board.window(&due).expect("readable partials");
                let told = Told::from(&merged);
                let before = self.reports.insert((merged.window, merged.revision), told.clone());
                self.rewritten += usize::from(before.is_some_and(|before| before != told));
                entries.push(self.board.closed(&merged, BTreeSet::new()));
            }
            entries.extend(self.board.expired(&frontier));
        }
        entries
    }

    pub(super) fn save(&mut self, worker: usize) {
        for Entry { key, value } in self.checkpoint(worker) {
            if let (Key::Closed(window), Some(bytes)) = (&key, &value)
                && let Ok(Value::Closed(closed)) = Value::decode(&key, bytes)
            {
                let before = self.committed.insert((*window, closed.revision), closed.digest.clone());
                assert!(before.is_none_or(|before| before == closed.digest), "a revision closes once: {key}");
            }
            let (key, value) = (key.to_string(), value.map(Arc::<[u8]>::from));
            match &value {
                Some(value) => self.topic.insert(key.clone(), Arc::clone(value)),
                None => self.topic.remove(&key),
            };
            self.board.apply(key.as_bytes(), value).expect("what was written");
        }
    }

    /// The worker dies with its checkpoint made and not published.
    fn lose(&mut self, worker: usize) {
        self.checkpoint(worker);
        for partition in self.owned(worker) {
            self.states[partition] = None;
        }
        if self.owners[0] == worker {
            self.board.forget();
            // Some deaths are rewinds that keep the board: both must go on alike.
            if self.topic.len().is_multiple_of(2) {
                self.board = self.reload();
            }
        }
    }

    /// Reads everything, saves everything, and closes every window.
    pub(super) fn finish(&mut self) {
        for partition in 0..self.logs.len() {
            self.read(partition, usize::MAX);
        }
        for worker in 0..4 {
            self.save(worker);
        }
        self.clock = Clock::Ended;
        for _ in 0..4 {
            self.save(self.owners[0]);
        }
        let frontier = self.board.frontier(&self.expected, self.clock).expect("every partition was saved");
        assert_eq!(self.board.due(&frontier).expect("readable partials"), [], "two revisions close every window");
        assert_eq!(self.board.pending(), 0);
    }

    /// The newest report of each window.
    pub(super) fn newest(&self) -> BTreeMap<Window, &Told> {
        self.reports.iter().map(|((window, _), told)| (*window, told)).collect()
    }

    pub(super) fn progress(&self, partition: usize) -> crate::state::CountProgress {
        let source = nth(partition);
        self.board.progress().find(|(own, _)| **own == source).expect("it was saved").1.clone()
    }

    pub(super) fn partials(&self) -> usize {
        let key = |text: &String| text.parse::<Key>().expect("a key");
        self.topic.keys().filter(|text| matches!(key(text), Key::Partial(_))).count()
    }
}
