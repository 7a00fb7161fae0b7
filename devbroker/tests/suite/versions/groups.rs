//! JoinGroup, SyncGroup, Heartbeat, LeaveGroup, DescribeGroups, ListGroups, DeleteGroups, OffsetCommit, OffsetFetch.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};

use super::{group, topic};
use crate::bench::Bench;
use crate::wire::text;

fn join_request(version: i16) -> JoinGroupRequest {
    let protocol =
        JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"topics"));
    let request = JoinGroupRequest::default()
        .with_group_id(group("g"))
        .with_session_timeout_ms(10_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    if version >= 1 { request.with_rebalance_timeout_ms(10_000) } else { request }
}

/// Joins as the only member, coming back with the id where the version wants that.
fn join(bench: &mut Bench, version: i16) -> JoinGroupResponse {
    let first = bench.call(version, &join_request(version));
    if version < 4 {
        assert_eq!(first.error_code, 0);
        return first;
    }
    assert_eq!(first.error_code, 79, "MEMBER_ID_REQUIRED");
    let joined = bench.call(version, &join_request(version).with_member_id(first.member_id));
    assert_eq!(joined.error_code, 0);
    joined
}

#[test]
fn the_life_of_a_member() {
    for version in 0..=9 {
        let mut bench = Bench::start();
        let joined = join(&mut bench, version);
        assert_eq!((joined.leader.clone(), joined.members.len()), (joined.member_id.clone(), 1), "version {version}");
        sync_and_beat(&mut bench, version, &joined);
        describe(&mut bench, &joined);
        for leave in 0..=5 {
            let request = LeaveGroupRequest::default().with_group_id(group("g"));
            let request = if leave < 3 {
                request.with_member_id(text("nobody"))
            } else {
                request.with_members(vec![MemberIdentity::default().with_member_id(text("nobody"))])
            };
            let answer = bench.call(leave, &request);
            let code = answer.members.first().map_or(answer.error_code, |member| member.error_code);
            assert_eq!(code, 25, "UNKNOWN_MEMBER_ID");
        }
        let request = LeaveGroupRequest::default().with_group_id(group("g")).with_member_id(joined.member_id);
        assert_eq!(bench.call(1, &request).error_code, 0);
    }
}

fn sync_and_beat(bench: &mut Bench, version: i16, joined: &JoinGroupResponse) {
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(b"all of it"));
    for sync in 0..=5 {
        let request = SyncGroupRequest::default()
            .with_group_id(group("g"))
            .with_generation_id(joined.generation_id)
            .with_member_id(joined.member_id.clone())
            .with_assignments(vec![assignment.clone()]);
        let request = if sync >= 5 {
            request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")))
        } else {
            request
        };
        let answer = bench.call(sync, &request);
        assert_eq!((answer.error_code, &answer.assignment[..]), (0, &b"all of it"[..]), "join {version}, sync {sync}");
    }
    for beat in 0..=4 {
        let request = HeartbeatRequest::default().with_group_id(group("g")).with_member_id(joined.member_id.clone());
        assert_eq!(bench.call(beat, &request.clone().with_generation_id(joined.generation_id)).error_code, 0);
        assert_eq!(bench.call(beat, &request.with_generation_id(77)).error_code, 22, "ILLEGAL_GENERATION");
    }
}

fn describe(bench: &mut Bench, joined: &JoinGroupResponse) {
    for version in 0..=6 {
        let asked = DescribeGroupsRequest::default().with_groups(vec![group("g"), group("none")]);
        let answer = bench.call(version, &asked);
        let (found, missing) = (&answer.groups[0], &answer.groups[1]);
        assert_eq!((found.group_state.as_str(), found.protocol_data.as_str()), ("Stable", "range"));
        assert_eq!((&found.members[0].member_id, found.members[0].client_id.as_str()), (&joined.member_id, "wire"));
        assert_eq!((missing.group_state.as_str(), missing.error_code), ("Dead", if version >= 6 { 69 } else { 0 }));
    }
    for version in 0..=5 {
        let request = ListGroupsRequest::default();
        let request = if version >= 4 { request.with_states_filter(vec![text("Stable")]) } else { request };
        let request = if version >= 5 { request.with_types_filter(vec![text("classic")]) } else { request };
        let names: Vec<String> = bench.call(version, &request).groups.iter().map(|g| g.group_id.to_string()).collect();
        assert_eq!(names, ["g"]);
    }
    for version in 0..=2 {
        let answer =
            bench.call(version, &DeleteGroupsRequest::default().with_groups_names(vec![group("g"), group("none")]));
        let codes: Vec<i16> = answer.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [68, 69], "NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND");
    }
}

#[test]
fn a_static_member_comes_back() {
    for version in 5..=9 {
        let mut bench = Bench::start();
        let request = join_request(version).with_group_instance_id(Some(text("one")));
        let first = bench.wire.call(version, &request);
        assert_eq!(first.error_code, 0);
        sync_and_beat(&mut bench, version, &first);
        let second = bench.wire.call(version, &request);
        assert_eq!((second.error_code, second.generation_id), (0, first.generation_id), "no rebalance");
        assert_ne!(second.member_id, first.member_id);
        let leads = if version >= 9 { &second.member_id } else { &first.member_id };
        assert_eq!((&second.leader, second.skip_assignment), (leads, version >= 9));
        let beat = HeartbeatRequest::default()
            .with_group_id(group("g"))
            .with_generation_id(first.generation_id)
            .with_member_id(first.member_id)
            .with_group_instance_id(Some(text("one")));
        assert_eq!(bench.call(4, &beat).error_code, 82, "FENCED_INSTANCE_ID");
    }
}

#[test]
fn offsets() {
    let mut bench = Bench::start();
    for version in 2..=9 {
        let partition = |index| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_offset(i64::from(version))
                .with_committed_metadata(Some(text("note")))
        };
        let asked =
            OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition(0), partition(9)]);
        let request = OffsetCommitRequest::default().with_group_id(group("g")).with_topics(vec![asked]);
        let answer = bench.call(version, &request);
        let codes: Vec<i16> = answer.topics[0].partitions.iter().map(|partition| partition.error_code).collect();
        assert_eq!(codes, [0, 3], "version {version}");
    }
    let found = (0, 9, Some(text("note")));
    for version in 1..=7 {
        let asked = OffsetFetchRequestTopic::default().with_name(topic("t")).with_partition_indexes(vec![0, 1]);
        let request = OffsetFetchRequest::default().with_group_id(group("g")).with_require_stable(version >= 7);
        let answer = bench.call(version, &request.clone().with_topics(Some(vec![asked])));
        let rows = &answer.topics[0].partitions;
        assert_eq!((rows[0].error_code, rows[0].committed_offset, rows[0].metadata.clone()), found);
        assert_eq!((rows[1].error_code, rows[1].committed_offset), (0, -1));
        if version >= 2 {
            assert_eq!(bench.call(version, &request.with_topics(None)).topics[0].partitions.len(), 1);
        }
    }
    for version in 8..=9 {
        let asked = OffsetFetchRequestTopics::default().with_name(topic("t")).with_partition_indexes(vec![0, 1]);
        let of_group = |topics| OffsetFetchRequestGroup::default().with_group_id(group("g")).with_topics(topics);
        let groups = vec![of_group(Some(vec![asked])), of_group(None)];
        let answer = bench.call(version, &OffsetFetchRequest::default().with_groups(groups).with_require_stable(true));
        let rows = &answer.groups[0].topics[0].partitions;
        assert_eq!((rows[0].error_code, rows[0].committed_offset, rows[0].metadata.clone()), found);
        assert_eq!((rows[1].committed_offset, answer.groups[1].topics[0].partitions.len()), (-1, 1));
    }
}
