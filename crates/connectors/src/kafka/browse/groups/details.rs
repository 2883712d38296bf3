//! Fetches a summary of every consumer group, or the details of one group, for the Kafka UI.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::coordinator_requests::{
    CoordinatedGroup, GroupMembersAndOffsets, fetch_group_members_and_offsets, list_groups,
};
use super::members::GroupMember;
use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::BrowseError;
use crate::kafka::browse::offsets::{OffsetQuery, TopicAndPartition, collect_partition_leaders, fetch_offsets};
use crate::kafka::browse::wire::cluster_connections::ClusterConnections;

/// A summary of a consumer group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupSummary {
    /// The name of the group.
    pub group: String,
    /// The type of the group: `classic`, `consumer` (the protocol of Kafka 4), `share` or `streams`. Empty if the
    /// broker is too old to report the type.
    #[serde(rename = "kind")]
    pub group_type: String,
    /// Kafka's name for the state of the group: `Stable`, `Empty`, `PreparingRebalance`, …
    pub state: String,
    /// The id of the broker that coordinates the group.
    #[serde(rename = "coordinator")]
    pub coordinator_id: i32,
    /// The number of members; `None` if the coordinator did not describe the group.
    #[serde(rename = "members")]
    pub member_count: Option<usize>,
    /// The topics in which the group has committed offsets or assigned partitions, sorted by name.
    #[serde(rename = "topics")]
    pub topic_names: Vec<String>,
    /// The sum of the lags of all partitions whose lag is known; `None` if no lag is known.
    pub lag: Option<i64>,
}

/// The details of a consumer group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupDetails {
    /// The summary, as in the list of groups.
    #[serde(flatten)]
    pub summary: GroupSummary,
    /// The name of the assignor, which distributes the partitions among the members.
    pub assignor: String,
    /// The members of the group.
    pub member_list: Vec<GroupMember>,
    /// The partitions that have a committed offset or are assigned to a member, sorted by topic and number.
    pub partition_list: Vec<GroupPartitionProgress>,
}

/// The progress of a group in one partition.
#[derive(Clone, Debug, Serialize)]
pub struct GroupPartitionProgress {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The committed offset, at which the group continues reading; `None` if the group has committed no offset.
    #[serde(rename = "committed")]
    pub committed_offset: Option<i64>,
    /// The current first offset of the partition. Kafka no longer holds records before this offset.
    #[serde(rename = "first")]
    pub first_offset: Option<i64>,
    /// The current end offset of the partition; `None` if the topic was deleted or the leader is unreachable.
    #[serde(rename = "end")]
    pub end_offset: Option<i64>,
    /// The number of offsets from the committed offset to the end offset; `None` if one of the two offsets is unknown.
    pub lag: Option<i64>,
    /// The id of the member to which the partition is assigned.
    #[serde(rename = "member")]
    pub member_id: Option<String>,
    /// The client id of the member to which the partition is assigned.
    #[serde(rename = "client")]
    pub member_client_id: Option<String>,
    /// The host of the member to which the partition is assigned.
    #[serde(rename = "host")]
    pub member_host: Option<String>,
}

impl KafkaBrowser {
    /// Returns the summaries of all groups, sorted by name.
    ///
    /// # Errors
    /// When Kafka is unreachable or refuses the request.
    pub async fn fetch_group_summaries(&self) -> Result<Vec<GroupSummary>, BrowseError> {
        let mut connections = ClusterConnections::open(self).await?;
        let metadata = connections.fetch_metadata(None).await?;
        let mut leaders = collect_partition_leaders(&metadata);
        let groups = list_groups(&mut connections).await?;
        let fetched_by_group = fetch_group_members_and_offsets(&mut connections, &groups).await;
        let committed: BTreeSet<&TopicAndPartition> = fetched_by_group
            .values()
            .flat_map(|fetched| fetched.committed_offsets.iter().flat_map(BTreeMap::keys))
            .collect();
        leaders.retain(|key, _| committed.contains(key));
        let ends = fetch_offsets(&mut connections, &leaders, OffsetQuery::End).await;
        let nothing_fetched = GroupMembersAndOffsets::default();
        let mut summaries: Vec<_> = groups
            .iter()
            .map(|group| {
                let fetched = fetched_by_group.get(group.group_name()).unwrap_or(&nothing_fetched);
                let partitions = build_group_partitions(fetched, &BTreeMap::new(), &ends);
                summarize_group(group, fetched, &partitions)
            })
            .collect();
        summaries.sort_by(|a, b| a.group.cmp(&b.group));
        Ok(summaries)
    }

    /// Returns the details of `group`.
    ///
    /// # Errors
    /// When the group does not exist, or Kafka is unreachable or refuses the request.
    pub async fn fetch_group_details(&self, group: &str) -> Result<GroupDetails, BrowseError> {
        let mut connections = ClusterConnections::open(self).await?;
        connections.fetch_metadata(Some(&[])).await?;
        let mut groups = list_groups(&mut connections).await?;
        groups.retain(|listed| listed.group_name() == group);
        let Some(found) = groups.first() else {
            return Err(BrowseError::NotFound(format!("there is no group `{group}`")));
        };
        let fetched =
            fetch_group_members_and_offsets(&mut connections, &groups).await.remove(group).unwrap_or_default();
        let known = fetched.committed_or_assigned_partitions();
        let topics: BTreeSet<&str> = known.iter().map(|key| key.topic.as_str()).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let mut leaders = collect_partition_leaders(&connections.fetch_metadata(Some(&topics)).await?);
        leaders.retain(|key, _| known.contains(key));
        let firsts = fetch_offsets(&mut connections, &leaders, OffsetQuery::First).await;
        let ends = fetch_offsets(&mut connections, &leaders, OffsetQuery::End).await;
        let partition_list = build_group_partitions(&fetched, &firsts, &ends);
        let summary = summarize_group(found, &fetched, &partition_list);
        let (assignor, member_list) = match fetched.description {
            Some(description) => (description.assignor, description.members),
            None => Default::default(),
        };
        Ok(GroupDetails { summary, assignor, member_list, partition_list })
    }
}

fn build_group_partitions(
    fetched: &GroupMembersAndOffsets,
    firsts: &BTreeMap<TopicAndPartition, i64>,
    ends: &BTreeMap<TopicAndPartition, i64>,
) -> Vec<GroupPartitionProgress> {
    let mut owners: BTreeMap<&TopicAndPartition, &GroupMember> = BTreeMap::new();
    for member in fetched.group_members() {
        owners.extend(member.assigned_partitions.iter().map(|key| (key, member)));
    }
    fetched
        .committed_or_assigned_partitions()
        .into_iter()
        .map(|key| {
            let owner = owners.get(&key);
            let committed = fetched.committed_offsets.as_ref().and_then(|committed| committed.get(&key)).copied();
            let end = ends.get(&key).copied();
            GroupPartitionProgress {
                committed_offset: committed,
                first_offset: firsts.get(&key).copied(),
                end_offset: end,
                lag: committed.zip(end).map(|(committed, end)| (end - committed).max(0)),
                member_id: owner.map(|member| member.member_id.clone()),
                member_client_id: owner.map(|member| member.client_id.clone()),
                member_host: owner.map(|member| member.host.clone()),
                topic: key.topic,
                partition: key.partition,
            }
        })
        .collect()
}

fn summarize_group(
    group: &CoordinatedGroup,
    fetched: &GroupMembersAndOffsets,
    partitions: &[GroupPartitionProgress],
) -> GroupSummary {
    let description = fetched.description.as_ref();
    let state = description.map_or(&*group.list_entry.group_state, |description| &description.state);
    let topics: BTreeSet<&String> = partitions.iter().map(|partition| &partition.topic).collect();
    let lags = || partitions.iter().filter_map(|partition| partition.lag);
    GroupSummary {
        group: group.group_name().to_owned(),
        group_type: group.list_entry.group_type.to_ascii_lowercase(),
        state: state.to_owned(),
        coordinator_id: group.coordinator_id,
        member_count: description.map(|description| description.members.len()),
        topic_names: topics.into_iter().cloned().collect(),
        lag: (lags().count() > 0).then(|| lags().sum()),
    }
}
