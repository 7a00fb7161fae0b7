//! Being in a group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Call, Handle, Reply, code, text};
use crate::clock::{Millis, saturating_millis};
use crate::group::{JoinAnswer, JoinRefused, JoinRequest, Joined, MemberClaim, Step, SyncAnswer, SyncRequest, Ticket};
use crate::rights::{Resource, Right};
use crate::state::{Shared, Wait};

/// Kafka's `group.max.session.timeout.ms`.
const SESSION_TIMEOUT_MAX: Millis = 1_800_000;
/// The group answers by itself well before; this only ends the wait of a client that has long gone.
const ANSWER_WAIT_MAX: Millis = 3_600_000;

impl Handle for JoinGroupRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<JoinGroupResponse> {
        let group_id = self.group_id.to_string();
        let request = match join_request(self, call) {
            Ok(request) => request,
            Err(refused) => return Reply::Answer(joined_response(Err(refused), call.version)),
        };
        let step = call.shared.with(|state, now| {
            // A member id that was never given out does not make a group.
            if !request.member_id.is_empty() && state.groups.get(&group_id).is_none() {
                let member_id = request.member_id.clone();
                return Step::Answer(Err(JoinRefused { code: ResponseError::UnknownMemberId, member_id }));
            }
            match state.groups.get_or_create(&group_id) {
                Ok(group) => group.join(request, now),
                Err(code) => Step::Answer(Err(JoinRefused { code, member_id: String::new() })),
            }
        });
        call.shared.wake(Wait::Groups);
        let answer = match step {
            Step::Answer(answer) => answer,
            Step::Wait(ticket) => {
                let _abandon = Abandon { shared: call.shared, group_id: &group_id, ticket };
                let deadline = call.shared.clock.now() + ANSWER_WAIT_MAX;
                let waiting = call.shared.wait_for(Wait::Groups, deadline, |state, _| {
                    state.groups.get_mut(&group_id)?.take_join_answer(ticket)
                });
                let too_late = JoinRefused { code: ResponseError::RebalanceInProgress, member_id: String::new() };
                waiting.await.unwrap_or(Err(too_late))
            }
        };
        Reply::Answer(joined_response(answer, call.version))
    }

    fn refuse(&self, code: i16) -> JoinGroupResponse {
        JoinGroupResponse::default()
            .with_error_code(code)
            .with_protocol_name(Some(StrBytes::default()))
            .with_member_id(self.member_id.clone())
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![(Resource::Group, &self.group_id, Right::Read)]
    }
}

/// Gives a ticket up when the wait for its answer ends, also because the client has gone.
struct Abandon<'a> {
    shared: &'a Shared,
    group_id: &'a str,
    ticket: Ticket,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.shared.with(|state, _| {
            if let Some(group) = state.groups.get_mut(self.group_id) {
                group.abandon(self.ticket);
            }
        });
    }
}

fn join_request(request: JoinGroupRequest, call: &Call<'_>) -> Result<JoinRequest, JoinRefused> {
    let member_id = request.member_id.to_string();
    let session_timeout = Millis::from(request.session_timeout_ms);
    let session_timeout_min = saturating_millis(call.shared.config.group_session_timeout_min);
    if request.group_id.is_empty() {
        return Err(JoinRefused { code: ResponseError::InvalidGroupId, member_id });
    }
    if !(session_timeout_min..=SESSION_TIMEOUT_MAX).contains(&session_timeout) {
        return Err(JoinRefused { code: ResponseError::InvalidSessionTimeout, member_id });
    }
    let instance = request.group_instance_id.map(|instance| instance.to_string());
    let named = instance.as_deref().unwrap_or(&call.client_id);
    // Version 0 has one time-out for both.
    let rebalance_timeout =
        if call.version >= 1 { Millis::from(request.rebalance_timeout_ms) } else { session_timeout };
    Ok(JoinRequest {
        fresh_id: format!("{named}-{}", Uuid::new_v4()),
        member_id,
        instance,
        client_id: call.client_id.clone(),
        client_host: call.client.host.clone(),
        session_timeout,
        rebalance_timeout,
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.into_iter().map(|p| (p.name.to_string(), copied(&p.metadata))).collect(),
        id_required: call.version >= 4,
        may_skip_assignment: call.version >= 9,
    })
}

/// A copy that does not keep the whole request alive.
fn copied(bytes: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(bytes)
}

fn joined_response(answer: JoinAnswer, version: i16) -> JoinGroupResponse {
    match answer {
        Ok(joined) => joined_ok(joined, version),
        Err(refused) => JoinGroupResponse::default()
            .with_error_code(refused.code.code())
            .with_generation_id(-1)
            // Null only from version 7 on.
            .with_protocol_name((version < 7).then(StrBytes::default))
            .with_member_id(text(refused.member_id)),
    }
}

fn joined_ok(joined: Joined, version: i16) -> JoinGroupResponse {
    let member = |(id, instance, metadata): (String, Option<String>, bytes::Bytes)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.filter(|_| version >= 5).map(text))
            .with_metadata(metadata)
    };
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type((version >= 7).then(|| text(joined.protocol_type)))
        .with_protocol_name(Some(text(joined.protocol)))
        .with_leader(text(joined.leader))
        .with_skip_assignment(joined.skip_assignment && version >= 9)
        .with_member_id(text(joined.member_id))
        .with_members(joined.members.into_iter().map(member).collect())
}

impl Handle for SyncGroupRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<SyncGroupResponse> {
        let group_id = self.group_id.to_string();
        let step = call.shared.with(|state, now| {
            let Some(group) = state.groups.get_mut(&group_id) else {
                return Step::Answer(Err(ResponseError::UnknownMemberId));
            };
            let request = SyncRequest {
                protocol_type: self.protocol_type.as_ref().map(ToString::to_string),
                protocol: self.protocol_name.as_ref().map(ToString::to_string),
                assignments: self
                    .assignments
                    .iter()
                    .map(|given| (given.member_id.to_string(), copied(&given.assignment)))
                    .collect(),
            };
            group.sync(claim(&self.member_id, self.group_instance_id.as_ref(), self.generation_id), request, now)
        });
        call.shared.wake(Wait::Groups);
        let answer = match step {
            Step::Answer(answer) => answer,
            Step::Wait(ticket) => {
                let _abandon = Abandon { shared: call.shared, group_id: &group_id, ticket };
                let deadline = call.shared.clock.now() + ANSWER_WAIT_MAX;
                let waiting = call.shared.wait_for(Wait::Groups, deadline, |state, _| {
                    state.groups.get_mut(&group_id)?.take_sync_answer(ticket)
                });
                waiting.await.unwrap_or(Err(ResponseError::RebalanceInProgress))
            }
        };
        Reply::Answer(synced_response(answer, call.version))
    }

    fn refuse(&self, code: i16) -> SyncGroupResponse {
        SyncGroupResponse::default().with_error_code(code)
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![(Resource::Group, &self.group_id, Right::Read)]
    }
}

fn synced_response(answer: SyncAnswer, version: i16) -> SyncGroupResponse {
    match answer {
        Ok(synced) => SyncGroupResponse::default()
            .with_protocol_type((version >= 5).then(|| text(synced.protocol_type)))
            .with_protocol_name((version >= 5).then(|| text(synced.protocol)))
            .with_assignment(synced.assignment),
        Err(code) => SyncGroupResponse::default().with_error_code(code.code()),
    }
}

impl Handle for HeartbeatRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<HeartbeatResponse> {
        let beat = call.shared.with(|state, now| {
            let group = state.groups.get_mut(&self.group_id).ok_or(ResponseError::UnknownMemberId)?;
            group.heartbeat(claim(&self.member_id, self.group_instance_id.as_ref(), self.generation_id), now)
        });
        Reply::Answer(self.refuse(code(&beat)))
    }

    fn refuse(&self, code: i16) -> HeartbeatResponse {
        HeartbeatResponse::default().with_error_code(code)
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![(Resource::Group, &self.group_id, Right::Read)]
    }
}

impl Handle for LeaveGroupRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<LeaveGroupResponse> {
        let leaving: Vec<(StrBytes, Option<StrBytes>)> = if call.version < 3 {
            vec![(self.member_id.clone(), None)]
        } else {
            self.members.iter().map(|m| (m.member_id.clone(), m.group_instance_id.clone())).collect()
        };
        let left: Vec<Result<(), ResponseError>> = call.shared.with(|state, now| {
            let mut group = state.groups.get_mut(&self.group_id);
            let leave = |(member_id, instance): &(StrBytes, Option<StrBytes>)| match &mut group {
                Some(group) => group.leave(member_id, instance.as_deref(), now),
                None => Err(ResponseError::UnknownMemberId),
            };
            leaving.iter().map(leave).collect()
        });
        call.shared.wake(Wait::Groups);
        if call.version < 3 {
            return Reply::Answer(self.refuse(left.first().map_or(0, code)));
        }
        let member = |((member_id, instance), left): ((StrBytes, Option<StrBytes>), Result<(), ResponseError>)| {
            MemberResponse::default()
                .with_member_id(member_id)
                .with_group_instance_id(instance)
                .with_error_code(code(&left))
        };
        let members = leaving.into_iter().zip(left).map(member).collect();
        Reply::Answer(LeaveGroupResponse::default().with_members(members))
    }

    fn refuse(&self, code: i16) -> LeaveGroupResponse {
        LeaveGroupResponse::default().with_error_code(code)
    }
}

pub(super) fn claim<'a>(member_id: &'a str, instance: Option<&'a StrBytes>, generation: i32) -> MemberClaim<'a> {
    MemberClaim { member_id, instance: instance.map(StrBytes::as_str), generation }
}
