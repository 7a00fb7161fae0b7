//! What the counting and the reporting stage have between them: which generation it is, what of the reports the next
//! checkpoint has to hold, and whether reading must wait.
//!
//! A lock and a condition, no channel: either side may be busy with its broker or its store for a while, and the other
//! only ever needs the newest.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use schemas::Generation;

use crate::state::{Entry, TopicPartition};

/// Records that may wait for a checkpoint; then the reporter waits. A window closes with a handful.
pub(super) const ENTRIES_MAX: usize = 500;

#[derive(Default)]
pub(super) struct Desk {
    state: Mutex<State>,
    changed: Condvar,
    is_overfull: AtomicBool,
}

#[derive(Default)]
struct State {
    role: Role,
    expected: Arc<BTreeSet<TopicPartition>>,
    entries: Vec<Entry>,
    is_done: bool,
}

/// What this process has to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// Another process reports, or nobody knows yet.
    #[default]
    None,
    Reporter {
        generation: Generation,
        /// Every record of ours is counted and saved: what is left is to be reported, and then all is done.
        is_ending: bool,
    },
}

impl Desk {
    /// Sets the role, and the partitions that are reported on; a new generation voids what waits for a checkpoint.
    pub(super) fn assign(&self, role: Role, expected: Arc<BTreeSet<TopicPartition>>) {
        let mut state = self.state.lock();
        if generation(state.role) != generation(role) {
            state.entries.clear();
        }
        state.is_done = false;
        state.expected = expected;
        state.role = role;
        self.changed.notify_all();
    }

    /// Everything of ours is counted and saved. False: another process reports.
    pub(super) fn end(&self) -> bool {
        let mut state = self.state.lock();
        let Role::Reporter { is_ending, .. } = &mut state.role else { return false };
        *is_ending = true;
        self.changed.notify_all();
        true
    }

    /// The partitions that hold windows back.
    pub(super) fn expected(&self) -> Arc<BTreeSet<TopicPartition>> {
        Arc::clone(&self.state.lock().expected)
    }

    /// The role, after at most `wait` or when it changed or there is room again.
    pub(super) fn wait(&self, known: Role, wait: Duration) -> Role {
        let mut state = self.state.lock();
        if state.role == known {
            self.changed.wait_for(&mut state, wait);
        }
        state.role
    }

    /// Hands entries over to the next checkpoint. False: their generation is over.
    pub(super) fn offer(&self, of: Generation, entries: Vec<Entry>) -> bool {
        let mut state = self.state.lock();
        let is_current = generation(state.role) == Some(of);
        if is_current {
            state.entries.extend(entries);
        }
        is_current
    }

    /// Whether the reporter must wait for a checkpoint.
    pub(super) fn is_full(&self) -> bool {
        self.state.lock().entries.len() >= ENTRIES_MAX
    }

    /// Whether reports of this generation are still asked for.
    pub(super) fn is_current(&self, of: Generation) -> bool {
        generation(self.state.lock().role) == Some(of)
    }

    /// What waits for this generation's checkpoint.
    pub(super) fn take(&self, of: Generation) -> Vec<Entry> {
        let mut state = self.state.lock();
        if generation(state.role) != Some(of) {
            return Vec::new();
        }
        self.changed.notify_all();
        std::mem::take(&mut state.entries)
    }

    /// Everything is reported that is to be reported.
    pub(super) fn done(&self, of: Generation) {
        let mut state = self.state.lock();
        state.is_done = state.role == Role::Reporter { generation: of, is_ending: true };
    }

    pub(super) fn is_done(&self) -> bool {
        self.state.lock().is_done
    }

    /// Reading waits while too many reports do.
    pub(super) fn overfull(&self, is_overfull: bool) {
        self.is_overfull.store(is_overfull, Ordering::Release);
    }

    pub(super) fn is_overfull(&self) -> bool {
        self.is_overfull.load(Ordering::Acquire)
    }
}

fn generation(role: Role) -> Option<Generation> {
    match role {
        Role::None => None,
        Role::Reporter { generation, .. } => Some(generation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Key;
    use crate::window::Granularity;

    fn entry() -> Entry {
        let minute = Granularity::from_millis(60_000).expect("whole seconds");
        Entry::tombstone(Key::Closed(minute.window(0)))
    }

    #[test]
    fn entries_belong_to_a_generation() {
        let desk = Desk::default();
        let first = Generation::default();
        assert!(!desk.offer(first, vec![entry()]), "nobody reports yet");
        desk.assign(Role::Reporter { generation: first, is_ending: false }, Arc::default());
        assert!(desk.offer(first, vec![entry()]));
        assert!(desk.end());
        assert!(desk.is_current(first));
        assert_eq!(desk.take(first.next()), []);
        assert_eq!(desk.take(first), [entry()]);
        assert!(desk.offer(first, vec![entry()]));
        desk.assign(Role::Reporter { generation: first.next(), is_ending: false }, Arc::default());
        assert_eq!(desk.take(first.next()), [], "what the old generation closed is closed again");
    }

    #[test]
    fn done_counts_for_the_end_only() {
        let desk = Desk::default();
        let generation = Generation::default();
        assert!(!desk.end(), "another process reports");
        desk.assign(Role::Reporter { generation, is_ending: false }, Arc::default());
        desk.done(generation);
        assert!(!desk.is_done());
        desk.end();
        desk.done(generation.next());
        assert!(!desk.is_done());
        desk.done(generation);
        assert!(desk.is_done());
    }
}
