//! Looking at groups and deleting them: DescribeGroups, ListGroups, DeleteGroups.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{Call, Handle, Reply, code, text};
use crate::group::{Group, Member, Phase};

/// The only type of group here.
const TYPE: &str = "classic";

impl Handle for DescribeGroupsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<DescribeGroupsResponse> {
        let groups = call.shared.with(|state, _| {
            let describe = |id: &GroupId| match state.groups.get(id) {
                Some(group) => described(id, group, call.version),
                None => unknown(id, call.version),
            };
            self.groups.iter().map(describe).collect()
        });
        Reply::Answer(DescribeGroupsResponse::default().with_groups(groups))
    }

    fn refuse(&self, code: i16) -> DescribeGroupsResponse {
        let refused = |id: &GroupId| DescribedGroup::default().with_group_id(id.clone()).with_error_code(code);
        DescribeGroupsResponse::default().with_groups(self.groups.iter().map(refused).collect())
    }
}

fn described(id: &GroupId, group: &Group, version: i16) -> DescribedGroup {
    let settled = group.phase == Phase::Stable;
    let protocol = group.protocol.as_deref().filter(|_| settled).unwrap_or_default();
    let member = |(member_id, member): (&String, &Member)| {
        let described = DescribedGroupMember::default()
            .with_member_id(text(member_id))
            .with_group_instance_id(member.instance.clone().filter(|_| version >= 4).map(text))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host));
        if settled {
            described.with_member_metadata(member.metadata(protocol)).with_member_assignment(member.assignment.clone())
        } else {
            described
        }
    };
    DescribedGroup::default()
        .with_group_id(id.clone())
        .with_group_state(StrBytes::from_static_str(group.phase.name()))
        .with_protocol_type(text(&group.protocol_type))
        .with_protocol_data(text(protocol))
        .with_members(group.members.iter().map(member).collect())
}

/// Before version 6 a group that does not exist is a dead one, without an error.
fn unknown(id: &GroupId, version: i16) -> DescribedGroup {
    let dead = DescribedGroup::default().with_group_id(id.clone()).with_group_state(StrBytes::from_static_str("Dead"));
    if version < 6 {
        return dead;
    }
    dead.with_error_code(ResponseError::GroupIdNotFound.code())
        .with_error_message(Some(text(format!("Group {} not found.", id.as_str()))))
}

impl Handle for ListGroupsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<ListGroupsResponse> {
        let passes = |filter: &[StrBytes], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let groups = call.shared.with(|state, _| {
            let listed = state.groups.iter().filter(|(_, group)| {
                !group.is_disposable()
                    && passes(&self.states_filter, group.phase.name())
                    && passes(&self.types_filter, TYPE)
            });
            listed.map(|(name, group)| list_row(name, group, call.version)).collect()
        });
        Reply::Answer(ListGroupsResponse::default().with_groups(groups))
    }

    fn refuse(&self, code: i16) -> ListGroupsResponse {
        ListGroupsResponse::default().with_error_code(code)
    }
}

fn list_row(name: &str, group: &Group, version: i16) -> ListedGroup {
    let row = ListedGroup::default().with_group_id(GroupId(text(name))).with_protocol_type(text(&group.protocol_type));
    let row = if version >= 4 { row.with_group_state(StrBytes::from_static_str(group.phase.name())) } else { row };
    if version >= 5 { row.with_group_type(StrBytes::from_static_str(TYPE)) } else { row }
}

impl Handle for DeleteGroupsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<DeleteGroupsResponse> {
        let results = call.shared.with(|state, _| {
            let delete = |id: &GroupId| {
                let deleted = state.groups.delete(id);
                DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code(&deleted))
            };
            self.groups_names.iter().map(delete).collect()
        });
        Reply::Answer(DeleteGroupsResponse::default().with_results(results))
    }

    fn refuse(&self, code: i16) -> DeleteGroupsResponse {
        let refused = |id: &GroupId| DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code);
        DeleteGroupsResponse::default().with_results(self.groups_names.iter().map(refused).collect())
    }
}
