//! Where partitions begin and end, as their leaders report it.

use std::collections::BTreeMap;
use std::ops::Range;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, MetadataResponse, TopicName};

use super::error::BrowseError;
use super::records::positions::PartitionPositions;
use super::wire::session::{ClusterSession, topic_name};

/// Stands for the end of a partition where Kafka expects a timestamp.
const END_TIMESTAMP: i64 = -1;
/// Stands for the beginning of a partition where Kafka expects a timestamp.
const FIRST_TIMESTAMP: i64 = -2;
const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;
/// Brokers answer with an error after this.
const BROKER_TIMEOUT_MS: i32 = 5_000;

/// A partition of any topic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct PartitionKey {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl PartitionKey {
    pub(super) fn new(topic: &TopicName, partition: i32) -> Self {
        Self { topic: topic.0.to_string(), partition }
    }
}

/// The broker that leads each partition; partitions without a leader are absent.
pub(super) type PartitionLeaders = BTreeMap<PartitionKey, i32>;

/// Returns the leaders of all partitions in `metadata`.
pub(super) fn partition_leaders(metadata: &MetadataResponse) -> PartitionLeaders {
    let mut leaders = PartitionLeaders::new();
    for topic in &metadata.topics {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            if partition.leader_id.0 >= 0 {
                leaders.insert(PartitionKey::new(name, partition.partition_index), partition.leader_id.0);
            }
        }
    }
    leaders
}

/// Which offset of a partition is requested.
#[derive(Clone, Copy, Debug)]
pub(super) enum OffsetQuery {
    /// The oldest record kept.
    First,
    /// Behind the newest record.
    End,
    /// Behind the newest record that is not part of an open transaction: as far as can be read.
    ReadableEnd,
    /// The first record with this timestamp or a later one; there may be none.
    Time(i64),
}

/// Returns offsets of the partitions in `leaders`. Those whose leader does not answer, and those without such a record,
/// are absent.
pub(super) async fn fetch_offsets(
    session: &mut ClusterSession,
    leaders: &PartitionLeaders,
    query: OffsetQuery,
) -> BTreeMap<PartitionKey, i64> {
    let (timestamp, isolation) = match query {
        OffsetQuery::First => (FIRST_TIMESTAMP, READ_UNCOMMITTED),
        OffsetQuery::End => (END_TIMESTAMP, READ_UNCOMMITTED),
        OffsetQuery::ReadableEnd => (END_TIMESTAMP, READ_COMMITTED),
        OffsetQuery::Time(time_ms) => (time_ms.max(0), READ_COMMITTED),
    };
    let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<ListOffsetsPartition>>> = BTreeMap::new();
    for (key, leader) in leaders {
        let partition = ListOffsetsPartition::default().with_partition_index(key.partition).with_timestamp(timestamp);
        by_leader.entry(*leader).or_default().entry(&key.topic).or_default().push(partition);
    }
    let requests = by_leader.into_iter().map(|(leader, topics)| {
        let topics = topics.into_iter().map(|(topic, partitions)| {
            ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
        });
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(isolation)
            .with_topics(topics.collect())
            .with_timeout_ms(BROKER_TIMEOUT_MS);
        (leader, request)
    });
    let mut found = BTreeMap::new();
    for answer in session.ask_brokers(requests.collect()).await {
        let Ok(response) = answer.result else { continue };
        for topic in response.topics {
            for partition in topic.partitions {
                if partition.error_code == 0 && partition.offset >= 0 {
                    found.insert(PartitionKey::new(&topic.name, partition.partition_index), partition.offset);
                }
            }
        }
    }
    found
}

/// Which offsets of one topic can be read.
pub(super) struct ReadableOffsets {
    /// By partition; partitions whose leader does not answer are absent.
    pub(super) ranges: BTreeMap<i32, Range<i64>>,
    /// Where records of the requested time and later begin; empty where no time was requested.
    pub(super) at_time: PartitionPositions,
}

/// Returns which offsets of `topic`, or of its partition `only`, can be read; and if `time_ms` is given, where records of
/// that time and later begin.
pub(super) async fn fetch_readable_offsets(
    session: &mut ClusterSession,
    topic: &str,
    only: Option<i32>,
    time_ms: Option<i64>,
) -> Result<ReadableOffsets, BrowseError> {
    let leaders = fetch_leaders(session, topic, only).await?;
    let firsts = fetch_offsets(session, &leaders, OffsetQuery::First).await;
    let ends = fetch_offsets(session, &leaders, OffsetQuery::ReadableEnd).await;
    let ranges: BTreeMap<i32, Range<i64>> =
        firsts.into_iter().filter_map(|(key, first)| ends.get(&key).map(|&end| (key.partition, first..end))).collect();
    if ranges.is_empty() {
        return Err(BrowseError::Unreachable(format!("no leader of topic `{topic}` answers")));
    }
    let at_time = match time_ms {
        Some(time_ms) => fetch_offsets(session, &leaders, OffsetQuery::Time(time_ms)).await,
        None => BTreeMap::new(),
    };
    let at_time = at_time.into_iter().map(|(key, offset)| (key.partition, offset)).collect();
    Ok(ReadableOffsets { ranges, at_time: PartitionPositions(at_time) })
}

async fn fetch_leaders(
    session: &mut ClusterSession,
    topic: &str,
    only: Option<i32>,
) -> Result<PartitionLeaders, BrowseError> {
    let metadata = session.fetch_metadata(Some(&[topic])).await?;
    let found = metadata.topics.first();
    let error = found.and_then(|found| BrowseError::from_code(found.error_code, &format!("topic `{topic}`")));
    if let Some(error) = error {
        return Err(error);
    }
    let partition_count = found.map_or(0, |found| found.partitions.len());
    if let Some(partition) = only
        && !found.is_some_and(|found| found.partitions.iter().any(|one| one.partition_index == partition))
    {
        return Err(BrowseError::NotFound(format!(
            "topic `{topic}` has no partition {partition}: its {partition_count} are numbered from 0"
        )));
    }
    let mut leaders = partition_leaders(&metadata);
    leaders.retain(|key, _| only.is_none_or(|only| only == key.partition));
    if leaders.is_empty() {
        return Err(BrowseError::Unreachable(format!("no requested partition of topic `{topic}` has a leader")));
    }
    Ok(leaders)
}
