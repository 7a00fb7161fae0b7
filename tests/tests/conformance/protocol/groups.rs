//! Membership by hand: who may join, sync, beat, commit and leave.

use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};
use tests::names::unique;
use tests::records::create_topic;

use super::*;
use crate::on_each_broker;

/// A subscription to no topics, and an assignment of none: version 0, no topics, no user data. Apache Kafka reads them.
const NOTHING: &[u8] = b"\0\0\0\0\0\0\xff\xff\xff\xff";

/// A subscription to topic `t`.
const ANOTHER_TOPIC: &[u8] = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";

/// A group and the connection to its coordinator.
struct Group {
    wire: Wire,
    name: String,
}

impl Group {
    fn new(address: &str) -> Self {
        let mut wire = connect(address);
        find_coordinator(&mut wire, 0);
        Self { wire, name: unique("group") }
    }

    fn request(&self) -> JoinGroupRequest {
        let protocol =
            JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(NOTHING));
        JoinGroupRequest::default()
            .with_group_id(group_id(&self.name))
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol])
    }

    fn join(&mut self, request: &JoinGroupRequest) -> JoinGroupResponse {
        settled(|| {
            let answer = self.wire.call(9, request);
            (answer.error_code, answer)
        })
        .1
    }

    /// A dynamic member with its assignment.
    fn member(&mut self) -> JoinGroupResponse {
        let first = self.join(&self.request());
        assert_eq!(first.error_code, MEMBER_ID_REQUIRED);
        let joined = self.join(&self.request().with_member_id(first.member_id));
        assert_eq!((joined.error_code, &joined.leader), (NONE, &joined.member_id));
        assert_eq!(self.sync(&joined.member_id, joined.generation_id, "consumer"), NONE);
        joined
    }

    fn sync(&mut self, member: &str, generation: i32, protocol_type: &str) -> i16 {
        let assignment = SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(NOTHING));
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(&self.name))
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_protocol_type(Some(text(protocol_type)))
            .with_protocol_name(Some(text("range")))
            .with_assignments(vec![assignment]);
        self.wire.call(5, &request).error_code
    }

    fn beat(&mut self, member: &str, generation: i32, instance: Option<&str>) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(group_id(&self.name))
            .with_generation_id(generation)
            .with_member_id(text(member))
            .with_group_instance_id(instance.map(text));
        self.wire.call(4, &request).error_code
    }

    fn commit(&mut self, version: i16, topic: &str, member: &str, generation: i32) -> i16 {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
        let asked = OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group_id(&self.name))
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(text(member))
            .with_topics(vec![asked]);
        self.wire.call(version, &request).topics[0].partitions[0].error_code
    }

    fn leave(&mut self, member: &str, instance: Option<&str>) -> i16 {
        let leaving = MemberIdentity::default().with_member_id(text(member)).with_group_instance_id(instance.map(text));
        let request = LeaveGroupRequest::default().with_group_id(group_id(&self.name)).with_members(vec![leaving]);
        let answer = self.wire.call(5, &request);
        assert_eq!(answer.error_code, NONE);
        answer.members[0].error_code
    }
}

#[test]
fn joining_has_its_conditions() {
    on_each_broker(|address| {
        let mut group = Group::new(address);
        let base = group.request();
        assert_eq!(group.join(&base.clone().with_group_id(group_id(""))).error_code, INVALID_GROUP_ID);
        assert_eq!(group.join(&base.clone().with_session_timeout_ms(1)).error_code, INVALID_SESSION_TIMEOUT);
        assert_eq!(group.join(&base.clone().with_member_id(text("stranger"))).error_code, UNKNOWN_MEMBER_ID);
        assert_eq!(group.join(&base.clone().with_protocols(Vec::new())).error_code, INCONSISTENT_GROUP_PROTOCOL);
        group.member();
        let other = JoinGroupRequestProtocol::default().with_name(text("sticky"));
        assert_eq!(group.join(&base.clone().with_protocols(vec![other])).error_code, INCONSISTENT_GROUP_PROTOCOL);
        let connect = base.clone().with_protocol_type(text("connect"));
        assert_eq!(group.join(&connect).error_code, INCONSISTENT_GROUP_PROTOCOL);
        assert_eq!(group.join(&base.with_member_id(text("stranger"))).error_code, UNKNOWN_MEMBER_ID);
    });
}

#[test]
fn members_are_told_when_they_are_wrong() {
    on_each_broker(|address| {
        let topic = unique("in");
        create_topic(address, &topic, 1);
        let mut group = Group::new(address);
        assert_eq!(group.beat("stranger", 1, None), UNKNOWN_MEMBER_ID, "there is no such group");
        assert_eq!(group.sync("stranger", 1, "consumer"), UNKNOWN_MEMBER_ID);
        assert_eq!(group.commit(8, &topic, "stranger", 1), ILLEGAL_GENERATION);
        assert_eq!(group.commit(9, &topic, "stranger", 1), GROUP_ID_NOT_FOUND);
        let joined = group.member();
        let (member, generation) = (joined.member_id.to_string(), joined.generation_id);
        assert_eq!(generation, 1);
        assert_eq!(group.beat(&member, generation, None), NONE);
        assert_eq!(group.beat(&member, generation + 1, None), ILLEGAL_GENERATION);
        assert_eq!(group.beat("stranger", generation, None), UNKNOWN_MEMBER_ID);
        assert_eq!(group.sync(&member, generation + 1, "consumer"), ILLEGAL_GENERATION);
        assert_eq!(group.sync(&member, generation, "connect"), INCONSISTENT_GROUP_PROTOCOL);
        assert_eq!(group.sync(&member, generation, "consumer"), NONE, "the same assignment again");
        assert_eq!(group.commit(8, &topic, &member, generation), NONE);
        assert_eq!(group.commit(8, &topic, &member, generation + 1), ILLEGAL_GENERATION);
        assert_eq!(group.commit(8, &topic, "stranger", generation), UNKNOWN_MEMBER_ID);
        assert_eq!(group.commit(8, &topic, "", -1), UNKNOWN_MEMBER_ID, "an outsider, while there are members");
        assert_eq!(group.leave("stranger", None), UNKNOWN_MEMBER_ID);
        assert_eq!(group.leave(&member, None), NONE);
        assert_eq!(group.beat(&member, generation, None), UNKNOWN_MEMBER_ID);
        assert_eq!(group.commit(8, &topic, "", -1), NONE, "an outsider, now that it is empty");
    });
}

#[test]
fn an_instance_belongs_to_its_latest_process() {
    on_each_broker(|address| {
        let mut group = Group::new(address);
        let as_one = group.request().with_group_instance_id(Some(text("one")));
        let stranger = as_one.clone().with_member_id(text("stranger"));
        assert_eq!(group.join(&stranger).error_code, UNKNOWN_MEMBER_ID);
        let first = group.join(&as_one);
        assert_eq!(first.error_code, NONE, "a static member needs no second try");
        let (old, generation) = (first.member_id.to_string(), first.generation_id);
        assert_eq!(group.sync(&old, generation, "consumer"), NONE);
        let second = group.join(&as_one);
        assert_eq!((second.error_code, second.generation_id), (NONE, generation), "no rebalance");
        assert_eq!((&second.leader, second.skip_assignment), (&second.member_id, true));
        assert_ne!(second.member_id, first.member_id);
        assert_eq!(group.beat(&old, generation, Some("one")), FENCED_INSTANCE_ID);
        assert_eq!(group.beat(&old, generation, None), UNKNOWN_MEMBER_ID);
        assert_eq!(group.join(&as_one.clone().with_member_id(first.member_id)).error_code, FENCED_INSTANCE_ID);
        assert_eq!(group.leave(&old, Some("one")), FENCED_INSTANCE_ID);
        assert_eq!(group.beat(&second.member_id, generation, Some("one")), NONE);
        assert_eq!(group.beat(&second.member_id, generation, Some("two")), UNKNOWN_MEMBER_ID);
        assert_eq!(group.leave("", Some("one")), NONE, "an administrator needs the instance only");
        assert_eq!(group.beat(&second.member_id, generation, Some("one")), UNKNOWN_MEMBER_ID);
    });
}

/// A trap with cooperative assignors: a static member that dies between learning what to give up and joining again comes
/// back under its old assignment, nobody calls for the second rebalance, and what it gave up stays unassigned.
#[test]
fn an_instance_that_comes_back_with_another_subscription_changes_nothing() {
    on_each_broker(|address| {
        let mut group = Group::new(address);
        let as_one = group.request().with_group_instance_id(Some(text("one")));
        let first = group.join(&as_one);
        assert_eq!(group.sync(&first.member_id, first.generation_id, "consumer"), NONE);
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(ANOTHER_TOPIC));
        let second = group.join(&as_one.with_protocols(vec![protocol]));
        assert_eq!((second.error_code, second.generation_id), (NONE, first.generation_id));
    });
}

#[test]
fn groups_that_do_not_exist_say_so() {
    on_each_broker(|address| {
        let mut group = Group::new(address);
        let asked = DescribeGroupsRequest::default().with_groups(vec![group_id(&group.name)]);
        for (version, code) in [(5, NONE), (6, GROUP_ID_NOT_FOUND)] {
            let answer = group.wire.call(version, &asked);
            let found = &answer.groups[0];
            assert_eq!((found.error_code, found.group_state.as_str(), found.members.len()), (code, "Dead", 0));
        }
        let delete = DeleteGroupsRequest::default().with_groups_names(vec![group_id(&group.name), group_id("")]);
        let answer = group.wire.call(2, &delete);
        let codes: Vec<i16> = answer.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [GROUP_ID_NOT_FOUND, GROUP_ID_NOT_FOUND]);
    });
}
