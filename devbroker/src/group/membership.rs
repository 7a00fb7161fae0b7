//! What a member does between two joins: fetch its assignment, show that it lives, commit offsets, leave.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use super::{Group, Phase, Step, SyncAnswer, Synced};
use crate::clock::Millis;

/// Who a request says it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberClaim<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance: Option<&'a str>,
    /// Negative for clients outside the group's membership.
    pub(crate) generation: i32,
}

#[derive(Debug)]
pub(crate) struct SyncRequest {
    /// What the client takes the group's protocol to be; `None` before version 5.
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    /// From the leader: assignment by member id.
    pub(crate) assignments: HashMap<String, Bytes>,
}

impl Group {
    pub(crate) fn sync(&mut self, claim: MemberClaim<'_>, request: SyncRequest, now: Millis) -> Step<SyncAnswer> {
        if let Err(code) = self.check_sync(claim, &request) {
            return Step::Answer(Err(code));
        }
        match self.phase {
            Phase::Empty => Step::Answer(Err(ResponseError::UnknownMemberId)),
            Phase::PreparingRebalance => Step::Answer(Err(ResponseError::RebalanceInProgress)),
            Phase::Stable => {
                if let Some(member) = self.members.get_mut(claim.member_id) {
                    member.refresh(now);
                }
                Step::Answer(Ok(self.synced(claim.member_id)))
            }
            Phase::CompletingRebalance => self.wait_for_assignment(claim.member_id, request, now),
        }
    }

    fn check_sync(&self, claim: MemberClaim<'_>, request: &SyncRequest) -> Result<(), ResponseError> {
        self.check_member(claim)?;
        if claim.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        let differs = |told: &Option<String>, is: Option<&str>| told.as_deref().is_some_and(|told| Some(told) != is);
        if differs(&request.protocol_type, Some(self.protocol_type.as_str()))
            || differs(&request.protocol, self.protocol.as_deref())
        {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn wait_for_assignment(&mut self, member_id: &str, mut request: SyncRequest, now: Millis) -> Step<SyncAnswer> {
        let ticket = self.ticket();
        if let Some(member) = self.members.get_mut(member_id)
            && let Some(older) = member.syncing.replace(ticket)
        {
            self.answer_sync(older, Err(ResponseError::RebalanceInProgress));
        }
        if self.leader.as_deref() == Some(member_id) {
            self.phase = Phase::Stable;
            self.phase_ends = None;
            let protocol_type = self.protocol_type.clone();
            let protocol = self.protocol.clone().unwrap_or_default();
            let mut answers = Vec::new();
            for (id, member) in &mut self.members {
                member.assignment = request.assignments.remove(id).unwrap_or_default();
                if let Some(waiting) = member.syncing.take() {
                    answers.push((waiting, member.assignment.clone()));
                    member.refresh(now);
                }
            }
            for (waiting, assignment) in answers {
                let (protocol_type, protocol) = (protocol_type.clone(), protocol.clone());
                self.answer_sync(waiting, Ok(Synced { protocol_type, protocol, assignment }));
            }
        }
        self.sync_answers.remove(&ticket).map_or(Step::Wait(ticket), Step::Answer)
    }

    fn synced(&self, member_id: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone().unwrap_or_default(),
            assignment: self.members.get(member_id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    /// # Errors
    /// `UNKNOWN_MEMBER_ID`, `FENCED_INSTANCE_ID`, `ILLEGAL_GENERATION`, `REBALANCE_IN_PROGRESS`.
    pub(crate) fn heartbeat(&mut self, claim: MemberClaim<'_>, now: Millis) -> Result<(), ResponseError> {
        self.check_member(claim)?;
        if self.phase == Phase::Empty {
            return Err(ResponseError::UnknownMemberId);
        }
        if claim.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if let Some(member) = self.members.get_mut(claim.member_id) {
            member.refresh(now);
        }
        if self.phase == Phase::PreparingRebalance { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Takes one member out and lets the group rebalance. An administrator may name a static member by instance alone.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`, `FENCED_INSTANCE_ID`.
    pub(crate) fn leave(&mut self, member_id: &str, instance: Option<&str>, now: Millis) -> Result<(), ResponseError> {
        if instance.is_none() && self.pending.remove(member_id).is_some() {
            self.members_changed_by_pending(now);
            return Ok(());
        }
        let leaving = match instance.map(|instance| self.instances.get(instance)) {
            Some(None) => return Err(ResponseError::UnknownMemberId),
            Some(Some(owner)) if !member_id.is_empty() && owner != member_id => {
                return Err(ResponseError::FencedInstanceId);
            }
            Some(Some(owner)) => owner.clone(),
            None => member_id.to_owned(),
        };
        if !self.members.contains_key(&leaving) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(&leaving);
        self.members_changed(now);
        Ok(())
    }

    /// Whether a member (or, with a negative generation, an outsider) may commit offsets.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`, `FENCED_INSTANCE_ID`, `ILLEGAL_GENERATION`, `REBALANCE_IN_PROGRESS`.
    pub(crate) fn check_commit(
        &mut self,
        claim: MemberClaim<'_>,
        transactional: bool,
        now: Millis,
    ) -> Result<(), ResponseError> {
        if claim.generation < 0 && self.phase == Phase::Empty {
            return Ok(());
        }
        if claim.generation >= 0 || !claim.member_id.is_empty() || claim.instance.is_some() {
            self.check_member(claim)?;
            if claim.generation != self.generation {
                return Err(ResponseError::IllegalGeneration);
            }
        } else if !transactional {
            return Err(ResponseError::UnknownMemberId);
        }
        if !transactional {
            if self.phase == Phase::CompletingRebalance {
                return Err(ResponseError::RebalanceInProgress);
            }
            if let Some(member) = self.members.get_mut(claim.member_id) {
                member.refresh(now);
            }
        }
        Ok(())
    }

    fn check_member(&self, claim: MemberClaim<'_>) -> Result<(), ResponseError> {
        if let Some(instance) = claim.instance {
            match self.instances.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(owner) if owner != claim.member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(claim.member_id) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    fn members_changed_by_pending(&mut self, now: Millis) {
        if self.phase == Phase::PreparingRebalance {
            self.try_complete_join(now);
        }
    }
}
