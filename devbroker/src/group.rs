//! One consumer group of the classic protocol: who is in it, which generation it is at, and how it gets to the next.
//!
//! A pure state machine after Apache Kafka's `ClassicGroup`: it is told the time and the fresh member ids. A request that has
//! to wait for other members gets a [`Ticket`]; its answer is left in `join_answers` or `sync_answers` when the group moves on.
//! `join.rs` holds what a JoinGroup does, `membership.rs` the rest of the requests, `rebalance.rs` what moves the group itself.

mod join;
mod member;
mod membership;
mod rebalance;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use kafka_protocol::ResponseError;

pub(crate) use self::join::JoinRequest;
pub(crate) use self::member::{Member, Protocol, Ticket};
pub(crate) use self::membership::{MemberClaim, SyncRequest};
use crate::clock::Millis;
use crate::offsets::Offsets;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    /// Waits for every member to join again.
    PreparingRebalance,
    /// Waits for the leader's assignment.
    CompletingRebalance,
    Stable,
}

impl Phase {
    /// The name that DescribeGroups and ListGroups use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A member in the list that the leader gets: id, instance, subscription.
pub(crate) type Roster = Vec<(String, Option<String>, Bytes)>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    /// Filled for the leader only.
    pub(crate) members: Roster,
    /// The leader came back unchanged and need not assign again.
    pub(crate) skip_assignment: bool,
}

/// A refused join, with the member id to go on with (empty where there is none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinRefused {
    pub(crate) code: ResponseError,
    pub(crate) member_id: String,
}

pub(crate) type JoinAnswer = Result<Joined, JoinRefused>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) assignment: Bytes,
}

pub(crate) type SyncAnswer = Result<Synced, ResponseError>;

/// An answer now, or later under the ticket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<A> {
    Answer(A),
    Wait(Ticket),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    pub(crate) members_max: usize,
    pub(crate) initial_delay: Millis,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) phase: Phase,
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: Option<String>,
    pub(crate) members: BTreeMap<String, Member>,
    pub(crate) offsets: Offsets,
    /// Instance id -> member id of the static members.
    instances: HashMap<String, String>,
    /// Member ids given out but not used to join yet -> when they lapse.
    pending: HashMap<String, Millis>,
    /// When a rebalance goes on without those who have not joined, or an assignment is no longer waited for.
    phase_ends: Option<Millis>,
    /// An empty group waits this long for more first members.
    first_members_until: Option<Millis>,
    next_ticket: u64,
    join_answers: HashMap<Ticket, JoinAnswer>,
    sync_answers: HashMap<Ticket, SyncAnswer>,
    /// Requests whose client went away: the member counts as before, but nobody takes the answer.
    abandoned: HashSet<Ticket>,
    limits: GroupLimits,
}

impl Group {
    pub(crate) fn new(limits: GroupLimits) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            offsets: Offsets::default(),
            instances: HashMap::new(),
            pending: HashMap::new(),
            phase_ends: None,
            first_members_until: None,
            next_ticket: 0,
            join_answers: HashMap::new(),
            sync_answers: HashMap::new(),
            abandoned: HashSet::new(),
            limits,
        }
    }

    pub(crate) fn take_join_answer(&mut self, ticket: Ticket) -> Option<JoinAnswer> {
        self.join_answers.remove(&ticket)
    }

    pub(crate) fn take_sync_answer(&mut self, ticket: Ticket) -> Option<SyncAnswer> {
        self.sync_answers.remove(&ticket)
    }

    /// Nobody waits under this ticket any more, whether it has been answered or not.
    pub(crate) fn abandon(&mut self, ticket: Ticket) {
        let answered = self.join_answers.remove(&ticket).is_some() || self.sync_answers.remove(&ticket).is_some();
        let waits = |member: &Member| member.joining == Some(ticket) || member.syncing == Some(ticket);
        if !answered && self.members.values().any(waits) {
            self.abandoned.insert(ticket);
        }
    }

    fn answer_join(&mut self, ticket: Ticket, answer: JoinAnswer) {
        if !self.abandoned.remove(&ticket) {
            self.join_answers.insert(ticket, answer);
        }
    }

    fn answer_sync(&mut self, ticket: Ticket, answer: SyncAnswer) {
        if !self.abandoned.remove(&ticket) {
            self.sync_answers.insert(ticket, answer);
        }
    }

    /// Nobody is in it and nothing is kept in it.
    pub(crate) fn is_disposable(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty() && self.offsets.is_empty()
    }

    /// The answer to a member's join at the present generation.
    fn joined(&self, member_id: &str) -> Joined {
        let leads = self.leader.as_deref() == Some(member_id);
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone().unwrap_or_default(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.to_owned(),
            members: if leads { self.roster() } else { Vec::new() },
            skip_assignment: false,
        }
    }

    fn roster(&self) -> Roster {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let entry = |(id, member): (&String, &Member)| (id.clone(), member.instance.clone(), member.metadata(protocol));
        self.members.iter().map(entry).collect()
    }

    /// Takes a member out; requests of its that wait are told.
    fn remove(&mut self, member_id: &str) {
        let Some(member) = self.members.remove(member_id) else { return };
        if let Some(instance) = &member.instance
            && self.instances.get(instance).is_some_and(|id| id == member_id)
        {
            self.instances.remove(instance);
        }
        self.answer_waiting(&member, member_id, ResponseError::UnknownMemberId);
        if self.leader.as_deref() == Some(member_id) {
            self.leader = None;
        }
    }

    fn answer_waiting(&mut self, member: &Member, member_id: &str, code: ResponseError) {
        if let Some(ticket) = member.joining {
            self.answer_join(ticket, Err(JoinRefused { code, member_id: member_id.to_owned() }));
        }
        if let Some(ticket) = member.syncing {
            self.answer_sync(ticket, Err(code));
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }
}
