//! Consumer groups: who is in them, how far each has come, what is left to read.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest, OffsetFetchRequest,
};
use serde::Serialize;

use super::edges::{OffsetQuery, PartitionKey, fetch_offsets, partition_leaders};
use super::members::{GroupDescription, GroupMember};
use super::session::ClusterSession;
use super::{BrowseError, KafkaBrowser};

/// A group at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct GroupSummary {
    /// Its name.
    pub group: String,
    /// `classic`, `consumer` (the protocol of Kafka 4), `share` or `streams`; empty where the broker is too old to tell.
    pub kind: String,
    /// In Kafka's words: `Stable`, `Empty`, `PreparingRebalance`, …
    pub state: String,
    /// The broker that keeps it.
    pub coordinator: i32,
    /// Number of members; `None` where it cannot be told.
    pub members: Option<usize>,
    /// Topics it has offsets or members for, by name.
    pub topics: Vec<String>,
    /// Records between what is committed and the ends; `None` where that cannot be told.
    pub lag: Option<i64>,
}

/// A group in detail.
#[derive(Clone, Debug, Serialize)]
pub struct GroupDetails {
    /// As in the list.
    #[serde(flatten)]
    pub summary: GroupSummary,
    /// How partitions are shared out.
    pub assignor: String,
    /// Its members.
    pub member_list: Vec<GroupMember>,
    /// Partitions it has an offset of or that are assigned to a member, by topic and number.
    pub partition_list: Vec<GroupPartition>,
}

/// How far a group has come in a partition.
#[derive(Clone, Debug, Serialize)]
pub struct GroupPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where it goes on; `None` when it has committed nothing.
    pub committed: Option<i64>,
    /// Where the partition begins now: a smaller committed offset is lost.
    pub first: Option<i64>,
    /// Where the partition ends now; `None` when the topic is gone or its leader away.
    pub end: Option<i64>,
    /// What is left to read.
    pub lag: Option<i64>,
    /// The member it is assigned to.
    pub member: Option<String>,
    /// What that calls itself.
    pub client: Option<String>,
    /// Where that is.
    pub host: Option<String>,
}

impl KafkaBrowser {
    /// All groups, by name.
    ///
    /// # Errors
    /// When Kafka does not answer or refuses.
    pub async fn fetch_groups(&self) -> Result<Vec<GroupSummary>, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let metadata = session.fetch_metadata(None).await?;
        let leaders = partition_leaders(&metadata);
        let listed = list_groups(&mut session).await?;
        let looked = fetch_group_snapshots(&mut session, &listed).await;
        let wanted: BTreeSet<&PartitionKey> =
            looked.values().flat_map(|look| look.committed.iter().flat_map(BTreeMap::keys)).collect();
        let asked = leaders.into_iter().filter(|(at, _)| wanted.contains(at)).collect();
        let ends = fetch_offsets(&mut session, &asked, OffsetQuery::End).await;
        let mut groups: Vec<_> = listed
            .into_iter()
            .map(|(coordinator, listed)| {
                let look = looked.get(listed.group_id.0.as_str()).cloned().unwrap_or_default();
                let partitions = look.describe_partitions(&BTreeMap::new(), &ends);
                look.summarize(coordinator, &listed, &partitions)
            })
            .collect();
        groups.sort_by(|a, b| a.group.cmp(&b.group));
        Ok(groups)
    }

    /// One group.
    ///
    /// # Errors
    /// When there is no such group, Kafka does not answer, or refuses.
    pub async fn fetch_group(&self, group: &str) -> Result<GroupDetails, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        session.fetch_metadata(Some(&[])).await?;
        let mut listed = list_groups(&mut session).await?;
        listed.retain(|(_, listed)| listed.group_id.0.as_str() == group);
        let Some((coordinator, found)) = listed.first().cloned() else {
            return Err(BrowseError::NotFound(format!("there is no group `{group}`")));
        };
        let look = fetch_group_snapshots(&mut session, &listed).await.remove(group).unwrap_or_default();
        let wanted = look.known_partitions();
        let topics: BTreeSet<&str> = wanted.iter().map(|(topic, _)| topic.as_str()).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let mut leaders = partition_leaders(&session.fetch_metadata(Some(&topics)).await?);
        leaders.retain(|at, _| wanted.contains(at));
        let firsts = fetch_offsets(&mut session, &leaders, OffsetQuery::First).await;
        let ends = fetch_offsets(&mut session, &leaders, OffsetQuery::End).await;
        let partition_list = look.describe_partitions(&firsts, &ends);
        Ok(GroupDetails {
            summary: look.summarize(coordinator, &found, &partition_list),
            assignor: look.described.as_ref().map(|described| described.assignor.clone()).unwrap_or_default(),
            member_list: look.described.map(|described| described.members).unwrap_or_default(),
            partition_list,
        })
    }
}

/// Every group, with the broker that keeps it. A broker that does not answer hides its groups, unless none answers.
async fn list_groups(session: &mut ClusterSession) -> Result<Vec<(i32, ListedGroup)>, BrowseError> {
    let requests = session.broker_ids().into_iter().map(|broker| (broker, ListGroupsRequest::default())).collect();
    let mut groups = Vec::new();
    let mut trouble = None;
    let mut answered = false;
    for (broker, answer) in session.ask_brokers(requests).await {
        let answer = answer.and_then(|(answer, _)| match BrowseError::from_code(answer.error_code, "groups") {
            Some(error) => Err(error),
            None => Ok(answer),
        });
        match answer {
            Ok(answer) => {
                answered = true;
                groups.extend(answer.groups.into_iter().map(|group| (broker, group)));
            }
            Err(error) => trouble = Some(error),
        }
    }
    match trouble {
        Some(error) if !answered => Err(error),
        _ => Ok(groups),
    }
}

/// What is known of one group.
#[derive(Clone, Default)]
struct GroupSnapshot {
    described: Option<GroupDescription>,
    committed: Option<BTreeMap<PartitionKey, i64>>,
}

/// Members and offsets of `listed`; two questions to each of their brokers.
async fn fetch_group_snapshots(
    session: &mut ClusterSession,
    listed: &[(i32, ListedGroup)],
) -> BTreeMap<String, GroupSnapshot> {
    let mut looked: BTreeMap<String, GroupSnapshot> = BTreeMap::new();
    let by_broker = |kind: fn(&str) -> bool| {
        let mut groups: BTreeMap<i32, Vec<GroupId>> = BTreeMap::new();
        for (broker, group) in listed {
            if kind(&group.group_type) {
                groups.entry(*broker).or_default().push(group.group_id.clone());
            }
        }
        groups
    };
    let classic = by_broker(is_classic);
    let requests = classic
        .clone()
        .into_iter()
        .map(|(broker, groups)| (broker, DescribeGroupsRequest::default().with_groups(groups)));
    for (_, answer) in session.ask_brokers(requests.collect()).await {
        for group in answer.map(|(answer, _)| answer.groups).unwrap_or_default() {
            if group.error_code == 0 {
                let name = group.group_id.0.to_string();
                looked.entry(name).or_default().described = Some(group.into());
            }
        }
    }
    let consumer = by_broker(|kind| kind.eq_ignore_ascii_case("consumer"));
    let requests = consumer
        .clone()
        .into_iter()
        .map(|(broker, groups)| (broker, ConsumerGroupDescribeRequest::default().with_group_ids(groups)));
    for (_, answer) in session.ask_brokers(requests.collect()).await {
        for group in answer.map(|(answer, _)| answer.groups).unwrap_or_default() {
            if group.error_code == 0 {
                let name = group.group_id.0.to_string();
                looked.entry(name).or_default().described = Some(group.into());
            }
        }
    }
    // Share groups keep no offsets of this kind.
    let with_offsets = by_broker(|kind| !kind.eq_ignore_ascii_case("share"));
    let requests = with_offsets.into_iter().map(|(broker, groups)| {
        let groups =
            groups.into_iter().map(|group| OffsetFetchRequestGroup::default().with_group_id(group).with_topics(None));
        (broker, OffsetFetchRequest::default().with_groups(groups.collect()))
    });
    for (_, answer) in session.ask_brokers(requests.collect()).await {
        // Brokers before 3.0 do not take several groups in one question: then offsets stay unknown.
        let Ok((answer, _)) = answer else { continue };
        for group in answer.groups {
            if group.error_code != 0 {
                continue;
            }
            let mut committed = BTreeMap::new();
            for topic in group.topics {
                for partition in topic.partitions {
                    if partition.error_code == 0 && partition.committed_offset >= 0 {
                        let at = (topic.name.0.to_string(), partition.partition_index);
                        committed.insert(at, partition.committed_offset);
                    }
                }
            }
            looked.entry(group.group_id.0.to_string()).or_default().committed = Some(committed);
        }
    }
    looked
}

/// Brokers that do not tell kinds have no other.
fn is_classic(kind: &str) -> bool {
    kind.is_empty() || kind.eq_ignore_ascii_case("classic")
}

impl GroupSnapshot {
    fn group_members(&self) -> &[GroupMember] {
        self.described.as_ref().map_or(&[], |described| &described.members)
    }

    /// Partitions with an offset, and assigned ones.
    fn known_partitions(&self) -> BTreeSet<PartitionKey> {
        let committed = self.committed.iter().flat_map(BTreeMap::keys);
        committed.chain(self.group_members().iter().flat_map(|member| &member.assigned)).cloned().collect()
    }

    fn describe_partitions(
        &self,
        firsts: &BTreeMap<PartitionKey, i64>,
        ends: &BTreeMap<PartitionKey, i64>,
    ) -> Vec<GroupPartition> {
        let mut owners: BTreeMap<&PartitionKey, &GroupMember> = BTreeMap::new();
        for member in self.group_members() {
            owners.extend(member.assigned.iter().map(|at| (at, member)));
        }
        self.known_partitions()
            .into_iter()
            .map(|at| {
                let owner = owners.get(&at);
                let committed = self.committed.as_ref().and_then(|committed| committed.get(&at)).copied();
                let end = ends.get(&at).copied();
                GroupPartition {
                    committed,
                    first: firsts.get(&at).copied(),
                    end,
                    lag: committed.zip(end).map(|(committed, end)| (end - committed).max(0)),
                    member: owner.map(|member| member.member.clone()),
                    client: owner.map(|member| member.client.clone()),
                    host: owner.map(|member| member.host.clone()),
                    topic: at.0,
                    partition: at.1,
                }
            })
            .collect()
    }

    fn summarize(&self, coordinator: i32, listed: &ListedGroup, partitions: &[GroupPartition]) -> GroupSummary {
        let state = self.described.as_ref().map_or(&*listed.group_state, |described| &described.state);
        let topics: BTreeSet<&String> = partitions.iter().map(|partition| &partition.topic).collect();
        let lags = || partitions.iter().filter_map(|partition| partition.lag);
        GroupSummary {
            group: listed.group_id.0.to_string(),
            kind: listed.group_type.to_ascii_lowercase(),
            state: state.to_owned(),
            coordinator,
            members: self.described.as_ref().map(|described| described.members.len()),
            topics: topics.into_iter().cloned().collect(),
            lag: (lags().count() > 0).then(|| lags().sum()),
        }
    }
}
