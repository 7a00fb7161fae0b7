//! One consumer group of the classic protocol: who is in it, which generation it is at, and how it gets to the next.
//!
//! A pure state machine after Apache Kafka's `ClassicGroup`: it is told the time and the fresh member ids. A request that has
//! to wait for other members gets a [`Ticket`]; its answer is left in `join_answers` or `sync_answers` when the group moves on.
//! `join.rs` holds what a JoinGroup does, `membership.rs` the rest of the requests; here is what moves the group itself.

mod join;
mod member;
mod membership;
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

/// An answer now, or one that will lie under the ticket.
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

    /// Lets time take effect: lapsed sessions, lapsed member ids, rebalances that waited long enough. True if anything moved.
    pub(crate) fn tick(&mut self, now: Millis) -> bool {
        let before = self.pending.len();
        self.pending.retain(|_, lapses| *lapses > now);
        let mut moved = self.pending.len() != before;
        let silent = |member: &Member| !member.is_waiting() && member.session_ends <= now;
        let dead: Vec<String> =
            self.members.iter().filter(|(_, member)| silent(member)).map(|(id, _)| id.clone()).collect();
        for member_id in &dead {
            tracing::debug!(member_id, "group member's session expired");
            self.remove(member_id);
        }
        if !dead.is_empty() {
            self.members_changed(now);
            moved = true;
        }
        if self.phase == Phase::PreparingRebalance {
            moved |= self.try_complete_join(now);
        }
        if self.phase == Phase::CompletingRebalance && self.phase_ends.is_some_and(|ends| ends <= now) {
            self.drop_unsynced(now);
            moved = true;
        }
        moved
    }

    /// After members left or died: a settled group rebalances, a rebalancing one may be complete now.
    fn members_changed(&mut self, now: Millis) {
        match self.phase {
            Phase::Stable | Phase::CompletingRebalance => self.prepare_rebalance(now),
            Phase::PreparingRebalance => {
                self.try_complete_join(now);
            }
            Phase::Empty => {}
        }
    }

    fn prepare_rebalance(&mut self, now: Millis) {
        if self.phase == Phase::CompletingRebalance {
            let mut interrupted = Vec::new();
            for member in self.members.values_mut() {
                member.assignment = Bytes::new();
                if let Some(ticket) = member.syncing.take() {
                    interrupted.push(ticket);
                    member.refresh(now);
                }
            }
            for ticket in interrupted {
                self.answer_sync(ticket, Err(ResponseError::RebalanceInProgress));
            }
        }
        let starts_empty = self.phase == Phase::Empty;
        self.first_members_until = starts_empty.then(|| now.saturating_add(self.limits.initial_delay));
        self.phase = Phase::PreparingRebalance;
        self.phase_ends = Some(now.saturating_add(self.rebalance_timeout()));
        self.try_complete_join(now);
    }

    fn rebalance_timeout(&self) -> Millis {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or(0)
    }

    /// Forms the next generation once every member has joined, or the time for it is over. True if it did.
    fn try_complete_join(&mut self, now: Millis) -> bool {
        if self.phase != Phase::PreparingRebalance {
            return false;
        }
        if self.members.is_empty() {
            self.become_empty();
            return true;
        }
        let overdue = self.phase_ends.is_some_and(|ends| ends <= now);
        let early = self.first_members_until.is_some_and(|until| now < until);
        let all_joined = self.pending.is_empty() && self.members.values().all(|member| member.joining.is_some());
        if !overdue && (early || !all_joined) {
            return false;
        }
        if overdue {
            // Static members stay until their session ends: they may be restarting.
            let late = |member: &Member| member.joining.is_none() && member.instance.is_none();
            let gone: Vec<String> =
                self.members.iter().filter(|(_, member)| late(member)).map(|(id, _)| id.clone()).collect();
            gone.iter().for_each(|member_id| self.remove(member_id));
        }
        if self.members.is_empty() {
            self.become_empty();
            return true;
        }
        if !self.elect_leader() {
            return false; // only static members that have not come back: their sessions decide
        }
        self.next_generation(now);
        true
    }

    fn become_empty(&mut self) {
        self.generation += 1;
        self.phase = Phase::Empty;
        self.protocol = None;
        self.leader = None;
        self.phase_ends = None;
        self.first_members_until = None;
    }

    /// Keeps the leader if it has joined, else takes another member that has. False if none has.
    fn elect_leader(&mut self) -> bool {
        let joined = |id: &String| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        let next = self.members.iter().find(|(_, member)| member.joining.is_some()).map(|(id, _)| id.clone());
        self.leader = next.or(self.leader.take());
        self.leader.as_ref().is_some_and(|id| self.members.get(id).is_some_and(|member| member.joining.is_some()))
    }

    fn next_generation(&mut self, now: Millis) {
        self.generation += 1;
        self.protocol = self.select_protocol();
        self.phase = Phase::CompletingRebalance;
        self.first_members_until = None;
        self.phase_ends = Some(now.saturating_add(self.rebalance_timeout()));
        let waiting: Vec<(String, Ticket)> =
            self.members.iter_mut().filter_map(|(id, member)| Some((id.clone(), member.joining.take()?))).collect();
        for (member_id, ticket) in waiting {
            let joined = self.joined(&member_id);
            self.answer_join(ticket, Ok(joined));
            if let Some(member) = self.members.get_mut(&member_id) {
                member.refresh(now);
            }
        }
    }

    /// The protocol most members prefer among those that all support; names break ties, so that the choice is stable.
    fn select_protocol(&self) -> Option<String> {
        let candidates = self.common_protocols();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for choice in self.members.values().filter_map(|member| member.vote(&candidates)) {
            *votes.entry(choice).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.to_owned())
    }

    fn common_protocols(&self) -> Vec<&str> {
        let Some(first) = self.members.values().next() else { return Vec::new() };
        let names = first.protocols.iter().map(|(name, _)| name.as_str());
        names.filter(|name| self.members.values().all(|member| member.supports(name))).collect()
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

    /// Those who joined but never asked for their assignment are out.
    fn drop_unsynced(&mut self, now: Millis) {
        let lost: Vec<String> =
            self.members.iter().filter(|(_, member)| member.syncing.is_none()).map(|(id, _)| id.clone()).collect();
        self.phase_ends = None;
        if !lost.is_empty() {
            lost.iter().for_each(|member_id| self.remove(member_id));
            self.prepare_rebalance(now);
        }
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
