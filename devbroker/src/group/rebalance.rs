//! From one generation to the next: when a rebalance begins, whom it waits for, and how it ends.
//!
//! After Apache Kafka's `DelayedJoin` and `completeClassicGroupJoin`. Dynamic members that do not join in time are out; static
//! members stay until their session ends, because they may be restarting.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::{Group, Member, Phase, Ticket};
use crate::clock::Millis;

impl Group {
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
    pub(super) fn members_changed(&mut self, now: Millis) {
        match self.phase {
            Phase::Stable | Phase::CompletingRebalance => self.prepare_rebalance(now),
            Phase::PreparingRebalance => {
                self.try_complete_join(now);
            }
            Phase::Empty => {}
        }
    }

    pub(super) fn prepare_rebalance(&mut self, now: Millis) {
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
    pub(super) fn try_complete_join(&mut self, now: Millis) -> bool {
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
    pub(super) fn select_protocol(&self) -> Option<String> {
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
}
