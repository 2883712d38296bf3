//! Groups as the Kafka UI shows them: all of them at a glance, and one in detail.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::members::GroupMember;
use super::snapshot::{CoordinatedGroup, GroupSnapshot, fetch_group_snapshots, list_groups};
use crate::kafka::browse::browser::KafkaBrowser;
use crate::kafka::browse::error::BrowseError;
use crate::kafka::browse::offsets::{OffsetQuery, PartitionKey, fetch_offsets, partition_leaders};
use crate::kafka::browse::wire::session::ClusterSession;

/// A group at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct GroupSummary {
    /// Its name.
    pub group: String,
    /// `classic`, `consumer` (the protocol of Kafka 4), `share` or `streams`; empty where the broker is too old to tell.
    pub kind: String,
    /// Kafka's name of its state: `Stable`, `Empty`, `PreparingRebalance`, …
    pub state: String,
    /// The broker that coordinates it.
    pub coordinator: i32,
    /// Number of members; `None` where it is unknown.
    pub members: Option<usize>,
    /// Topics that it has offsets or members for, by name.
    pub topics: Vec<String>,
    /// Number of records between the committed offsets and the ends; `None` where it is unknown.
    pub lag: Option<i64>,
}

/// A group in detail.
#[derive(Clone, Debug, Serialize)]
pub struct GroupDetails {
    /// The same as in the list of groups.
    #[serde(flatten)]
    pub summary: GroupSummary,
    /// How partitions are distributed among members.
    pub assignor: String,
    /// Its members.
    pub member_list: Vec<GroupMember>,
    /// Partitions with a committed offset and assigned ones, by topic and number.
    pub partition_list: Vec<GroupPartition>,
}

/// How far a group has read a partition.
#[derive(Clone, Debug, Serialize)]
pub struct GroupPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The committed offset, where reading continues; `None` where there is none.
    pub committed: Option<i64>,
    /// Where the partition begins now: a smaller committed offset is lost.
    pub first: Option<i64>,
    /// Where the partition ends now; `None` when the topic was deleted or its leader is unreachable.
    pub end: Option<i64>,
    /// Number of records left to read.
    pub lag: Option<i64>,
    /// The member that the partition is assigned to.
    pub member: Option<String>,
    /// The name which that member gave itself.
    pub client: Option<String>,
    /// The host which that member runs on.
    pub host: Option<String>,
}

impl KafkaBrowser {
    /// Returns all groups, by name.
    ///
    /// # Errors
    /// When Kafka is unreachable or refuses.
    pub async fn fetch_groups(&self) -> Result<Vec<GroupSummary>, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(None).await?;
        let mut leaders = partition_leaders(&metadata);
        let groups = list_groups(&mut session).await?;
        let snapshots = fetch_group_snapshots(&mut session, &groups).await;
        let committed: BTreeSet<&PartitionKey> =
            snapshots.values().flat_map(|snapshot| snapshot.committed.iter().flat_map(BTreeMap::keys)).collect();
        leaders.retain(|key, _| committed.contains(key));
        let ends = fetch_offsets(&mut session, &leaders, OffsetQuery::End).await;
        let no_snapshot = GroupSnapshot::default();
        let mut summaries: Vec<_> = groups
            .iter()
            .map(|group| {
                let snapshot = snapshots.get(group.name()).unwrap_or(&no_snapshot);
                let partitions = describe_partitions(snapshot, &BTreeMap::new(), &ends);
                summarize(group, snapshot, &partitions)
            })
            .collect();
        summaries.sort_by(|a, b| a.group.cmp(&b.group));
        Ok(summaries)
    }

    /// Returns one group in detail.
    ///
    /// # Errors
    /// When there is no such group, or Kafka is unreachable or refuses.
    pub async fn fetch_group(&self, group: &str) -> Result<GroupDetails, BrowseError> {
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
        let mut leaders = partition_leaders(&session.fetch_metadata(Some(&topics)).await?);
        leaders.retain(|key, _| known.contains(key));
        let firsts = fetch_offsets(&mut session, &leaders, OffsetQuery::First).await;
        let ends = fetch_offsets(&mut session, &leaders, OffsetQuery::End).await;
        let partition_list = describe_partitions(&snapshot, &firsts, &ends);
        let summary = summarize(found, &snapshot, &partition_list);
        let (assignor, member_list) = match snapshot.description {
            Some(description) => (description.assignor, description.members),
            None => Default::default(),
        };
        Ok(GroupDetails { summary, assignor, member_list, partition_list })
    }
}

fn describe_partitions(
    snapshot: &GroupSnapshot,
    firsts: &BTreeMap<PartitionKey, i64>,
    ends: &BTreeMap<PartitionKey, i64>,
) -> Vec<GroupPartition> {
    let mut owners: BTreeMap<&PartitionKey, &GroupMember> = BTreeMap::new();
    for member in snapshot.group_members() {
        owners.extend(member.assigned.iter().map(|key| (key, member)));
    }
    snapshot
        .known_partitions()
        .into_iter()
        .map(|key| {
            let owner = owners.get(&key);
            let committed = snapshot.committed.as_ref().and_then(|committed| committed.get(&key)).copied();
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

fn summarize(group: &CoordinatedGroup, snapshot: &GroupSnapshot, partitions: &[GroupPartition]) -> GroupSummary {
    let description = snapshot.description.as_ref();
    let state = description.map_or(&*group.listed.group_state, |description| &description.state);
    let topics: BTreeSet<&String> = partitions.iter().map(|partition| &partition.topic).collect();
    let lags = || partitions.iter().filter_map(|partition| partition.lag);
    GroupSummary {
        group: group.name().to_owned(),
        kind: group.listed.group_type.to_ascii_lowercase(),
        state: state.to_owned(),
        coordinator: group.coordinator,
        members: description.map(|description| description.members.len()),
        topics: topics.into_iter().cloned().collect(),
        lag: (lags().count() > 0).then(|| lags().sum()),
    }
}
