//! Describes consumer groups for the Kafka UI: a summary of every group, and the details of one group.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::members::GroupMember;
use super::snapshot::{CoordinatedGroup, GroupSnapshot, fetch_group_snapshots, list_groups};
use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::BrowseError;
use crate::kafka::browse::offsets::{OffsetQuery, TopicAndPartition, collect_partition_leaders, fetch_offsets};
use crate::kafka::browse::wire::session::ClusterSession;

/// A summary of a consumer group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupSummary {
    /// The name of the group.
    pub group: String,
    /// `classic`, `consumer` (the protocol of Kafka 4), `share` or `streams`; empty where the broker is too old to
    /// report the protocol.
    pub kind: String,
    /// Kafka's name of the group's state: `Stable`, `Empty`, `PreparingRebalance`, …
    pub state: String,
    /// The id of the broker that coordinates the group.
    pub coordinator: i32,
    /// The number of members; `None` where it is unknown.
    pub members: Option<usize>,
    /// The topics of all committed offsets and assigned partitions, sorted by name.
    pub topics: Vec<String>,
    /// The number of records between the committed offsets and the ends of the partitions; `None` where it is unknown.
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
    /// The partitions with a committed offset and the assigned partitions, sorted by topic and number.
    pub partition_list: Vec<GroupPartition>,
}

/// The progress of a group in one partition.
#[derive(Clone, Debug, Serialize)]
pub struct GroupPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The committed offset, at which reading continues; `None` where no offset is committed.
    pub committed: Option<i64>,
    /// The current first offset of the partition. A smaller committed offset is lost.
    pub first: Option<i64>,
    /// The current end offset of the partition; `None` when the topic was deleted or the leader is unreachable.
    pub end: Option<i64>,
    /// The number of records between the committed offset and the end.
    pub lag: Option<i64>,
    /// The id of the member to which the partition is assigned.
    pub member: Option<String>,
    /// The client id of that member.
    pub client: Option<String>,
    /// The host on which that member runs.
    pub host: Option<String>,
}

impl KafkaBrowser {
    /// Returns the summaries of all groups, sorted by name.
    ///
    /// # Errors
    /// When Kafka is unreachable or refuses the request.
    pub async fn fetch_group_summaries(&self) -> Result<Vec<GroupSummary>, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(None).await?;
        let mut leaders = collect_partition_leaders(&metadata);
        let groups = list_groups(&mut session).await?;
        let snapshots = fetch_group_snapshots(&mut session, &groups).await;
        let committed: BTreeSet<&TopicAndPartition> = snapshots
            .values()
            .flat_map(|snapshot| snapshot.committed_offsets.iter().flat_map(BTreeMap::keys))
            .collect();
        leaders.retain(|key, _| committed.contains(key));
        let ends = fetch_offsets(&mut session, &leaders, OffsetQuery::End).await;
        let no_snapshot = GroupSnapshot::default();
        let mut summaries: Vec<_> = groups
            .iter()
            .map(|group| {
                let snapshot = snapshots.get(group.name()).unwrap_or(&no_snapshot);
                let partitions = build_group_partitions(snapshot, &BTreeMap::new(), &ends);
                summarize_group(group, snapshot, &partitions)
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
        let mut session = ClusterSession::open(self).await?;
        session.fetch_metadata(Some(&[])).await?;
        let mut groups = list_groups(&mut session).await?;
        groups.retain(|listed| listed.name() == group);
        let Some(found) = groups.first() else {
            return Err(BrowseError::NotFound(format!("there is no group `{group}`")));
        };
        let snapshot = fetch_group_snapshots(&mut session, &groups).await.remove(group).unwrap_or_default();
        let known = snapshot.known_partitions();
        let topics: BTreeSet<&str> = known.iter().map(|key| key.topic.as_str()).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let mut leaders = collect_partition_leaders(&session.fetch_metadata(Some(&topics)).await?);
        leaders.retain(|key, _| known.contains(key));
        let firsts = fetch_offsets(&mut session, &leaders, OffsetQuery::First).await;
        let ends = fetch_offsets(&mut session, &leaders, OffsetQuery::End).await;
        let partition_list = build_group_partitions(&snapshot, &firsts, &ends);
        let summary = summarize_group(found, &snapshot, &partition_list);
        let (assignor, member_list) = match snapshot.description {
            Some(description) => (description.assignor, description.members),
            None => Default::default(),
        };
        Ok(GroupDetails { summary, assignor, member_list, partition_list })
    }
}

fn build_group_partitions(
    snapshot: &GroupSnapshot,
    firsts: &BTreeMap<TopicAndPartition, i64>,
    ends: &BTreeMap<TopicAndPartition, i64>,
) -> Vec<GroupPartition> {
    let mut owners: BTreeMap<&TopicAndPartition, &GroupMember> = BTreeMap::new();
    for member in snapshot.group_members() {
        owners.extend(member.assigned_partitions.iter().map(|key| (key, member)));
    }
    snapshot
        .known_partitions()
        .into_iter()
        .map(|key| {
            let owner = owners.get(&key);
            let committed = snapshot.committed_offsets.as_ref().and_then(|committed| committed.get(&key)).copied();
            let end = ends.get(&key).copied();
            GroupPartition {
                committed,
                first: firsts.get(&key).copied(),
                end,
                lag: committed.zip(end).map(|(committed, end)| (end - committed).max(0)),
                member: owner.map(|member| member.member.clone()),
                client: owner.map(|member| member.client.clone()),
                host: owner.map(|member| member.host.clone()),
                topic: key.topic,
                partition: key.partition,
            }
        })
        .collect()
}

fn summarize_group(group: &CoordinatedGroup, snapshot: &GroupSnapshot, partitions: &[GroupPartition]) -> GroupSummary {
    let description = snapshot.description.as_ref();
    let state = description.map_or(&*group.list_entry.group_state, |description| &description.state);
    let topics: BTreeSet<&String> = partitions.iter().map(|partition| &partition.topic).collect();
    let lags = || partitions.iter().filter_map(|partition| partition.lag);
    GroupSummary {
        group: group.name().to_owned(),
        kind: group.list_entry.group_type.to_ascii_lowercase(),
        state: state.to_owned(),
        coordinator: group.coordinator_id,
        members: description.map(|description| description.members.len()),
        topics: topics.into_iter().cloned().collect(),
        lag: (lags().count() > 0).then(|| lags().sum()),
    }
}
