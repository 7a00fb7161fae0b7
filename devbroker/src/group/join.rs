//! JoinGroup: a member comes in, comes back, or changes what it offers.
//!
//! After `GroupMetadataManager.classicGroupJoin` of Apache Kafka. A dynamic member of version 4 or later is first given an id
//! and told to come back with it; a static member (one with an instance id) takes the place of its predecessor at once, and
//! the predecessor is fenced.

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::{Group, JoinAnswer, JoinRefused, Joined, Member, Phase, Protocol, Step, Ticket};
use crate::clock::Millis;

#[derive(Debug, Clone)]
pub(crate) struct JoinRequest {
    /// Empty for a newcomer.
    pub(crate) member_id: String,
    pub(crate) instance: Option<String>,
    /// The id to use if this request needs a new one.
    pub(crate) fresh_id: String,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Millis,
    pub(crate) rebalance_timeout: Millis,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<Protocol>,
    /// From version 4 on a dynamic newcomer must come back with the id it is given.
    pub(crate) id_required: bool,
    /// From version 9 on a static leader that returns unchanged is told to skip the assignment.
    pub(crate) may_skip_assignment: bool,
}

impl Group {
    pub(crate) fn join(&mut self, request: JoinRequest, now: Millis) -> Step<JoinAnswer> {
        if !self.accepts_protocols(&request) {
            return refuse(ResponseError::InconsistentGroupProtocol, &request.member_id);
        }
        let known = request.instance.as_ref().and_then(|instance| self.instances.get(instance)).cloned();
        match (request.member_id.is_empty(), known) {
            (true, Some(predecessor)) => self.replace_static(request, &predecessor, now),
            (true, None) => self.join_newcomer(request, now),
            (false, known) => self.join_known(request, known, now),
        }
    }

    fn accepts_protocols(&self, request: &JoinRequest) -> bool {
        if request.protocols.is_empty() || request.protocol_type.is_empty() {
            return false;
        }
        let others: Vec<&Member> =
            self.members.iter().filter(|(id, _)| **id != request.member_id).map(|(_, member)| member).collect();
        if self.members.is_empty() {
            return true;
        }
        let shared = |name: &str| others.iter().all(|member| member.supports(name));
        request.protocol_type == self.protocol_type && request.protocols.iter().any(|(name, _)| shared(name))
    }

    fn join_newcomer(&mut self, request: JoinRequest, now: Millis) -> Step<JoinAnswer> {
        if self.members.len() + self.pending.len() >= self.limits.members_max {
            return refuse(ResponseError::GroupMaxSizeReached, "");
        }
        let member_id = request.fresh_id.clone();
        if request.instance.is_none() && request.id_required {
            self.pending.insert(member_id.clone(), now.saturating_add(request.session_timeout));
            return refuse(ResponseError::MemberIdRequired, &member_id);
        }
        self.admit(member_id, request, now)
    }

    fn join_known(&mut self, request: JoinRequest, owner: Option<String>, now: Millis) -> Step<JoinAnswer> {
        let member_id = request.member_id.clone();
        if request.instance.is_some() {
            match owner {
                None => return refuse(ResponseError::UnknownMemberId, &member_id),
                Some(owner) if owner != member_id => return refuse(ResponseError::FencedInstanceId, &member_id),
                Some(_) => {}
            }
        }
        if self.pending.remove(&member_id).is_some() {
            return self.admit(member_id, request, now);
        }
        let Some(member) = self.members.get_mut(&member_id) else {
            return refuse(ResponseError::UnknownMemberId, &member_id);
        };
        member.refresh(now);
        let unchanged = member.protocols == request.protocols;
        let leads = self.leader.as_deref() == Some(member_id.as_str());
        match self.phase {
            Phase::CompletingRebalance if unchanged => Step::Answer(Ok(self.joined(&member_id))),
            // A leader that joins again wants a rebalance, for instance because a topic has grown.
            Phase::Stable if unchanged && !leads => Step::Answer(Ok(self.joined(&member_id))),
            Phase::Empty => refuse(ResponseError::UnknownMemberId, &member_id),
            _ => self.rejoin(&member_id, request, now),
        }
    }

    /// A new member takes its seat and the group rebalances.
    fn admit(&mut self, member_id: String, request: JoinRequest, now: Millis) -> Step<JoinAnswer> {
        if self.members.is_empty() {
            self.protocol_type.clone_from(&request.protocol_type);
        }
        if let Some(instance) = &request.instance {
            self.instances.insert(instance.clone(), member_id.clone());
        }
        self.members.insert(
            member_id.clone(),
            Member {
                instance: request.instance.clone(),
                client_id: request.client_id.clone(),
                client_host: request.client_host.clone(),
                session_timeout: request.session_timeout,
                rebalance_timeout: request.rebalance_timeout,
                protocols: Vec::new(),
                assignment: Bytes::new(),
                joining: None,
                syncing: None,
                session_ends: now.saturating_add(request.session_timeout),
            },
        );
        self.first_members_until = self.first_members_until.map(|_| now.saturating_add(self.limits.initial_delay));
        self.rejoin(&member_id, request, now)
    }

    /// The member offers again and waits for the next generation.
    fn rejoin(&mut self, member_id: &str, request: JoinRequest, now: Millis) -> Step<JoinAnswer> {
        let ticket = self.ticket();
        let Some(member) = self.members.get_mut(member_id) else {
            return refuse(ResponseError::UnknownMemberId, member_id);
        };
        member.protocols = request.protocols;
        member.session_timeout = request.session_timeout;
        member.rebalance_timeout = request.rebalance_timeout;
        member.refresh(now);
        if let Some(older) = member.joining.replace(ticket) {
            // The same member asked twice: its earlier request is over.
            let refused = JoinRefused { code: ResponseError::RebalanceInProgress, member_id: member_id.to_owned() };
            self.answer_join(older, Err(refused));
        }
        if self.phase == Phase::PreparingRebalance {
            self.try_complete_join(now);
        } else {
            self.prepare_rebalance(now);
        }
        self.answer_or_wait(ticket)
    }

    /// A static member started again: it gets a new id and its predecessor's place.
    fn replace_static(&mut self, request: JoinRequest, predecessor: &str, now: Millis) -> Step<JoinAnswer> {
        let Some(mut member) = self.members.remove(predecessor) else {
            return refuse(ResponseError::UnknownMemberId, "");
        };
        let member_id = request.fresh_id.clone();
        self.answer_waiting(&member, predecessor, ResponseError::FencedInstanceId);
        (member.joining, member.syncing) = (None, None);
        member.protocols.clone_from(&request.protocols);
        member.session_timeout = request.session_timeout;
        member.rebalance_timeout = request.rebalance_timeout;
        member.client_id.clone_from(&request.client_id);
        member.client_host.clone_from(&request.client_host);
        member.refresh(now);
        self.members.insert(member_id.clone(), member);
        if let Some(instance) = &request.instance {
            self.instances.insert(instance.clone(), member_id.clone());
        }
        let led_before = self.leader.as_deref() == Some(predecessor);
        if led_before {
            self.leader = Some(member_id.clone());
        }
        if self.phase == Phase::Stable && self.select_protocol() == self.protocol {
            let leader_told = if led_before && !request.may_skip_assignment { Some(predecessor) } else { None };
            return Step::Answer(Ok(self.taken_over(&member_id, leader_told)));
        }
        self.rejoin(&member_id, request, now)
    }

    /// The present generation for a static member's successor. Old versions cannot be told to skip the assignment, so a
    /// leader's successor is told that its predecessor still leads.
    fn taken_over(&self, member_id: &str, leader_told: Option<&str>) -> Joined {
        let mut joined = self.joined(member_id);
        match leader_told {
            Some(leader) => {
                leader.clone_into(&mut joined.leader);
                joined.members.clear();
            }
            None => joined.skip_assignment = joined.leader == member_id,
        }
        joined
    }

    fn answer_or_wait(&mut self, ticket: Ticket) -> Step<JoinAnswer> {
        self.join_answers.remove(&ticket).map_or(Step::Wait(ticket), Step::Answer)
    }
}

fn refuse(code: ResponseError, member_id: &str) -> Step<JoinAnswer> {
    Step::Answer(Err(JoinRefused { code, member_id: member_id.to_owned() }))
}
