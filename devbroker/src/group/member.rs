//! One member of a group: what it offers, what it was given, and until when it is believed alive.

use bytes::Bytes;

use crate::clock::Millis;

/// Names a request that waits for the group: the answer is left under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// A protocol (assignor) by name, with the member's subscription for it; opaque to the broker.
pub(crate) type Protocol = (String, Bytes);

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Millis,
    pub(crate) rebalance_timeout: Millis,
    /// In the member's order of preference.
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    pub(crate) joining: Option<Ticket>,
    pub(crate) syncing: Option<Ticket>,
    /// Presumed dead from here on, unless a request of its waits for the group.
    pub(crate) session_ends: Millis,
}

impl Member {
    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// The first of `candidates` in this member's order of preference.
    pub(crate) fn vote<'a>(&self, candidates: &[&'a str]) -> Option<&'a str> {
        let mut preferred = self.protocols.iter().map(|(name, _)| name.as_str());
        preferred.find_map(|name| candidates.iter().copied().find(|candidate| *candidate == name))
    }

    pub(crate) fn refresh(&mut self, now: Millis) {
        self.session_ends = now.saturating_add(self.session_timeout);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }
}
