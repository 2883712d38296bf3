//! Sends requests to the brokers that coordinate groups: lists the groups, and fetches the members and committed
//! offsets of each group.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest, OffsetFetchRequest,
};

use super::members::{GroupDescription, GroupMember};
use crate::kafka::browse::error::BrowseError;
use crate::kafka::browse::offsets::TopicAndPartition;
use crate::kafka::browse::wire::cluster_connections::ClusterConnections;

/// An entry in the list of groups, with the id of the broker that coordinates the group.
#[derive(Clone)]
pub(super) struct CoordinatedGroup {
    pub(super) coordinator_id: i32,
    pub(super) list_entry: ListedGroup,
}

impl CoordinatedGroup {
    pub(super) fn group_name(&self) -> &str {
        self.list_entry.group_id.0.as_str()
    }
}

/// Asks every broker for the groups that it coordinates, and returns all of these groups. Omits the groups of a broker
/// that does not answer. Fails only if no broker answers.
pub(super) async fn list_groups(connections: &mut ClusterConnections) -> Result<Vec<CoordinatedGroup>, BrowseError> {
    let requests = connections.broker_ids().into_iter().map(|broker| (broker, ListGroupsRequest::default())).collect();
    let mut groups = Vec::new();
    let mut last_error = None;
    let mut answered = false;
    for answer in connections.ask_brokers(requests).await {
        let response =
            answer.result.and_then(|response| match BrowseError::from_error_code(response.error_code, "groups") {
                Some(error) => Err(error),
                None => Ok(response),
            });
        match response {
            Ok(response) => {
                answered = true;
                let listed = response.groups.into_iter();
                groups.extend(
                    listed.map(|listed| CoordinatedGroup { coordinator_id: answer.broker_id, list_entry: listed }),
                );
            }
            Err(error) => last_error = Some(error),
        }
    }
    match last_error {
        Some(error) if !answered => Err(error),
        _ => Ok(groups),
    }
}

/// The members and the committed offsets of one group. A field is `None` if Kafka did not return its value.
#[derive(Clone, Default)]
pub(super) struct GroupMembersAndOffsets {
    pub(super) description: Option<GroupDescription>,
    pub(super) committed_offsets: Option<BTreeMap<TopicAndPartition, i64>>,
}

impl GroupMembersAndOffsets {
    pub(super) fn group_members(&self) -> &[GroupMember] {
        self.description.as_ref().map_or(&[], |description| &description.members)
    }

    /// Returns the partitions for which the group has committed an offset, and the partitions that are assigned to a
    /// member.
    pub(super) fn committed_or_assigned_partitions(&self) -> BTreeSet<TopicAndPartition> {
        let committed = self.committed_offsets.iter().flat_map(BTreeMap::keys);
        committed.chain(self.group_members().iter().flat_map(|member| &member.assigned_partitions)).cloned().collect()
    }
}

/// Returns the members and committed offsets of `groups`, by group name. Sends at most three requests to each
/// coordinator.
pub(super) async fn fetch_group_members_and_offsets(
    connections: &mut ClusterConnections,
    groups: &[CoordinatedGroup],
) -> BTreeMap<String, GroupMembersAndOffsets> {
    let mut fetched_by_group: BTreeMap<String, GroupMembersAndOffsets> = BTreeMap::new();
    let classic = group_ids_by_coordinator(groups, is_classic_group_type);
    let requests =
        classic.into_iter().map(|(broker, groups)| (broker, DescribeGroupsRequest::default().with_groups(groups)));
    for answer in connections.ask_brokers(requests.collect()).await {
        for group in answer.result.map(|response| response.groups).unwrap_or_default() {
            if group.error_code == 0 {
                let name = group.group_id.0.to_string();
                fetched_by_group.entry(name).or_default().description = Some(group.into());
            }
        }
    }
    let consumer = group_ids_by_coordinator(groups, |group_type| group_type.eq_ignore_ascii_case("consumer"));
    let requests = consumer
        .into_iter()
        .map(|(broker, groups)| (broker, ConsumerGroupDescribeRequest::default().with_group_ids(groups)));
    for answer in connections.ask_brokers(requests.collect()).await {
        for group in answer.result.map(|response| response.groups).unwrap_or_default() {
            if group.error_code == 0 {
                let name = group.group_id.0.to_string();
                fetched_by_group.entry(name).or_default().description = Some(group.into());
            }
        }
    }
    // Share groups (KIP-932) have no committed offsets, so no request asks for them.
    let with_offsets = group_ids_by_coordinator(groups, |group_type| !group_type.eq_ignore_ascii_case("share"));
    let requests = with_offsets.into_iter().map(|(broker, groups)| {
        let groups =
            groups.into_iter().map(|group| OffsetFetchRequestGroup::default().with_group_id(group).with_topics(None));
        (broker, OffsetFetchRequest::default().with_groups(groups.collect()))
    });
    for answer in connections.ask_brokers(requests.collect()).await {
        // Brokers before Kafka 3.0 do not accept several groups in one request. So the committed offsets of the groups
        // that such a broker coordinates stay unknown.
        let Ok(response) = answer.result else { continue };
        for group in response.groups {
            if group.error_code == 0 {
                let name = group.group_id.0.to_string();
                fetched_by_group.entry(name).or_default().committed_offsets = Some(collect_committed_offsets(group));
            }
        }
    }
    fetched_by_group
}

/// Returns the ids of the groups whose type `is_wanted_type` accepts. The key of each entry is the id of the broker
/// that coordinates these groups.
fn group_ids_by_coordinator(
    groups: &[CoordinatedGroup],
    is_wanted_type: fn(&str) -> bool,
) -> BTreeMap<i32, Vec<GroupId>> {
    let mut by_coordinator: BTreeMap<i32, Vec<GroupId>> = BTreeMap::new();
    for group in groups.iter().filter(|group| is_wanted_type(&group.list_entry.group_type)) {
        by_coordinator.entry(group.coordinator_id).or_default().push(group.list_entry.group_id.clone());
    }
    by_coordinator
}

/// Returns whether `group_type` means the classic protocol. An empty type counts as classic, because a broker that
/// reports no types has only classic groups.
fn is_classic_group_type(group_type: &str) -> bool {
    group_type.is_empty() || group_type.eq_ignore_ascii_case("classic")
}

fn collect_committed_offsets(group: OffsetFetchResponseGroup) -> BTreeMap<TopicAndPartition, i64> {
    let mut committed = BTreeMap::new();
    for topic in group.topics {
        for partition in topic.partitions {
            if partition.error_code == 0 && partition.committed_offset >= 0 {
                let key = TopicAndPartition::new(&topic.name, partition.partition_index);
                committed.insert(key, partition.committed_offset);
            }
        }
    }
    committed
}
