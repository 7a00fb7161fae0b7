//! Which windows are to be reported, at which revision, and how a reported one is remembered.

use super::due::Due;
use super::{Board, Frontier, MergedWindow};
use crate::reference::Flags;
use crate::state::{Closed, Entry, Part, StateError};
use crate::window::Window;

impl Board {
    /// Windows to report now, in the order of their ends, shorter ones first.
    ///
    /// A window is named until [`Self::window`] hands it out; a further revision of it only after [`Self::closed`].
    ///
    /// # Errors
    /// A partial cannot be read.
    pub fn due(&mut self, frontier: &Frontier) -> Result<Vec<Due>, StateError> {
        let mut due = Vec::new();
        for window in self.windows.keys().copied().collect::<Vec<_>>() {
            if self.config.granularities().contains(&window.granularity) {
                due.extend(self.due_of(window, frontier)?);
            }
        }
        due.sort_by_key(|due| (due.window.end_ms(), due.window.granularity));
        Ok(due)
    }

    fn due_of(&mut self, window: Window, frontier: &Frontier) -> Result<Option<Due>, StateError> {
        let Some(slot) = self.windows.get(&window) else { return Ok(None) };
        if slot.handed.is_some() || !frontier.reached(window.end_ms()) {
            return Ok(None);
        }
        let latest_ms = window.end_ms().saturating_add(self.config.lateness_ms());
        let complete = frontier.passed(window.end_ms());
        let all_is_final = frontier.passed(latest_ms) || frontier.ended();
        let Some(closed) = slot.newest() else {
            // What revision 0 holds must not depend on when the window was looked at. So late records wait for the next
            // one, or, where nothing was on time, for the end of the lateness.
            let with_late = !self.counts_anything(window, Part::OnTime);
            let is_due = !with_late || frontier.reached(latest_ms) && self.counts_anything(window, Part::Late);
            let no_late =
                self.config.lateness_ms() == 0 && complete || frontier.ended() && !complete && !slot.has_late();
            let is_final = if with_late { all_is_final } else { no_late };
            let due = Due { window, revision: 0, is_final, with_late };
            return Ok((is_due && !self.is_beyond(window)).then_some(due));
        };
        if closed.is_final || !frontier.reached(latest_ms) || !slot.is_doubtful() {
            return Ok(None);
        }
        let revision = closed.revision.saturating_add(1);
        let due = Due { window, revision, is_final: all_is_final, with_late: true };
        let (digest, changes) = (closed.digest.clone(), slot.changes);
        if self.merge(&due)?.digest() != digest {
            return Ok(Some(due));
        }
        if let Some(slot) = self.windows.get_mut(&window) {
            slot.checked = changes;
        }
        Ok(None)
    }

    /// Merges a window that is due. It is handed out from here on: no longer due, but part of the backlog.
    ///
    /// # Errors
    /// A partial cannot be read.
    pub fn window(&mut self, due: &Due) -> Result<MergedWindow, StateError> {
        let merged = self.merge(due)?;
        let slot = self.windows.entry(due.window).or_default();
        slot.handed = Some(*due);
        if due.with_late || !slot.has_late() {
            slot.checked = slot.changes;
        }
        Ok(merged)
    }

    /// The record that closes a window, for the next checkpoint, once its report is durable.
    ///
    /// `flags` are the findings that were sure and large. Counts and flags of revision 0 are kept for ever: references
    /// must not depend on when late records came.
    pub fn closed(&mut self, merged: &MergedWindow, flags: Flags) -> Entry {
        let kept = self.kept.get(&merged.window.granularity).copied().unwrap_or_default();
        let slot = self.windows.entry(merged.window).or_default();
        let first = slot.newest().map(|closed| (closed.counts.clone(), closed.flags.clone()));
        let (counts, flags) =
            first.unwrap_or_else(|| ((kept.counts_ms > 0).then(|| merged.counts.encode().into()), flags));
        let (revision, records, digest) = (merged.revision, merged.counts.records(), merged.digest());
        let closed = Closed { revision, is_final: false, records, digest, flags, counts };
        let entry = closed.entry(merged.window);
        slot.closing = Some(closed);
        slot.handed = None;
        self.remember(merged.window);
        entry
    }
}
