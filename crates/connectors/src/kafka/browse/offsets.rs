//! Fetches the first and end offsets of partitions from the brokers that lead the partitions.

use std::collections::BTreeMap;
use std::ops::Range;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, MetadataResponse, TopicName};

use super::error::{BrowseError, describe_missing_partition};
use super::records::positions::PartitionPositions;
use super::wire::cluster_connections::{ClusterConnections, to_topic_name};

/// The timestamp with which Kafka's ListOffsets request asks for the end of a partition.
const LATEST_TIMESTAMP: i64 = -1;
/// The timestamp with which Kafka's ListOffsets request asks for the beginning of a partition.
const EARLIEST_TIMESTAMP: i64 = -2;
const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;
/// The timeout that a ListOffsets request sends to the broker. After this time, the broker answers with an error.
const LIST_OFFSETS_TIMEOUT_MS: i32 = 5_000;

/// A topic and the number of one of its partitions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct TopicAndPartition {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl TopicAndPartition {
    pub(super) fn new(topic: &TopicName, partition: i32) -> Self {
        Self { topic: topic.0.to_string(), partition }
    }
}

/// The broker id of each partition's leader. Partitions without a leader are absent.
pub(super) type PartitionLeaders = BTreeMap<TopicAndPartition, i32>;

/// Returns the leader of every partition that `metadata` lists and that has a leader.
pub(super) fn collect_partition_leaders(metadata: &MetadataResponse) -> PartitionLeaders {
    let mut leaders = PartitionLeaders::new();
    for topic in &metadata.topics {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            if partition.leader_id.0 >= 0 {
                leaders.insert(TopicAndPartition::new(name, partition.partition_index), partition.leader_id.0);
            }
        }
    }
    leaders
}

/// The kind of offset that a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum OffsetQuery {
    /// The offset of the oldest record that Kafka still holds.
    First,
    /// The offset after the newest record.
    End,
    /// The last stable offset: no record before this offset is part of an open transaction.
    ReadableEnd,
    /// The offset of the first record whose timestamp is at least this value, in epoch milliseconds. A partition may
    /// have no such record.
    FirstSinceTime(i64),
}

/// Asks the leader of each partition in `leaders` for the kind of offset that `query` names. Returns the offsets by
/// partition. Omits a partition if its leader does not answer, or if the partition has no such offset.
pub(super) async fn fetch_offsets(
    connections: &mut ClusterConnections,
    leaders: &PartitionLeaders,
    query: OffsetQuery,
) -> BTreeMap<TopicAndPartition, i64> {
    let (timestamp, isolation) = match query {
        OffsetQuery::First => (EARLIEST_TIMESTAMP, READ_UNCOMMITTED),
        OffsetQuery::End => (LATEST_TIMESTAMP, READ_UNCOMMITTED),
        OffsetQuery::ReadableEnd => (LATEST_TIMESTAMP, READ_COMMITTED),
        OffsetQuery::FirstSinceTime(time_ms) => (time_ms.max(0), READ_COMMITTED),
    };
    let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<ListOffsetsPartition>>> = BTreeMap::new();
    for (key, leader) in leaders {
        let partition = ListOffsetsPartition::default().with_partition_index(key.partition).with_timestamp(timestamp);
        by_leader.entry(*leader).or_default().entry(&key.topic).or_default().push(partition);
    }
    let requests = by_leader.into_iter().map(|(leader, topics)| {
        let topics = topics.into_iter().map(|(topic, partitions)| {
            ListOffsetsTopic::default().with_name(to_topic_name(topic)).with_partitions(partitions)
        });
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(isolation)
            .with_topics(topics.collect())
            .with_timeout_ms(LIST_OFFSETS_TIMEOUT_MS);
        (leader, request)
    });
    let mut found = BTreeMap::new();
    for answer in connections.ask_brokers(requests.collect()).await {
        let Ok(response) = answer.result else { continue };
        for topic in response.topics {
            for partition in topic.partitions {
                if partition.error_code == 0 && partition.offset >= 0 {
                    found.insert(TopicAndPartition::new(&topic.name, partition.partition_index), partition.offset);
                }
            }
        }
    }
    found
}

/// The offsets that can be read in one topic.
pub(super) struct ReadableOffsets {
    /// The readable offsets by partition. Partitions whose leader does not answer are absent.
    pub(super) offset_ranges: BTreeMap<i32, Range<i64>>,
    /// For each partition, the offset of the first record at or after the requested time. Partitions without such a
    /// record are absent. Empty if the request names no time.
    pub(super) offsets_at_requested_time: PartitionPositions,
}

/// Returns the offsets that can be read in every partition of `topic`, or in `only_partition` if it is given. If
/// `time_ms` (epoch milliseconds) is given, also returns the offset of each partition's first record at or after that
/// time.
pub(super) async fn fetch_readable_offsets(
    connections: &mut ClusterConnections,
    topic: &str,
    only_partition: Option<i32>,
    time_ms: Option<i64>,
) -> Result<ReadableOffsets, BrowseError> {
    let leaders = fetch_partition_leaders(connections, topic, only_partition).await?;
    let firsts = fetch_offsets(connections, &leaders, OffsetQuery::First).await;
    let ends = fetch_offsets(connections, &leaders, OffsetQuery::ReadableEnd).await;
    let offset_ranges: BTreeMap<i32, Range<i64>> =
        firsts.into_iter().filter_map(|(key, first)| ends.get(&key).map(|&end| (key.partition, first..end))).collect();
    if offset_ranges.is_empty() {
        return Err(BrowseError::Unreachable(format!("no partition leader of topic `{topic}` answers")));
    }
    let at_time = match time_ms {
        Some(time_ms) => fetch_offsets(connections, &leaders, OffsetQuery::FirstSinceTime(time_ms)).await,
        None => BTreeMap::new(),
    };
    let at_time = at_time.into_iter().map(|(key, offset)| (key.partition, offset)).collect();
    Ok(ReadableOffsets { offset_ranges, offsets_at_requested_time: PartitionPositions(at_time) })
}

async fn fetch_partition_leaders(
    connections: &mut ClusterConnections,
    topic: &str,
    only_partition: Option<i32>,
) -> Result<PartitionLeaders, BrowseError> {
    let metadata = connections.fetch_metadata(Some(&[topic])).await?;
    let found = metadata.topics.first();
    let error = found.and_then(|found| BrowseError::from_error_code(found.error_code, &format!("topic `{topic}`")));
    if let Some(error) = error {
        return Err(error);
    }
    let partition_count = found.map_or(0, |found| found.partitions.len());
    if let Some(partition) = only_partition
        && !found.is_some_and(|found| found.partitions.iter().any(|one| one.partition_index == partition))
    {
        return Err(BrowseError::NotFound(describe_missing_partition(topic, partition, partition_count)));
    }
    let mut leaders = collect_partition_leaders(&metadata);
    leaders.retain(|key, _| only_partition.is_none_or(|only| only == key.partition));
    if leaders.is_empty() {
        return Err(BrowseError::Unreachable(format!("no requested partition of topic `{topic}` has a leader")));
    }
    Ok(leaders)
}
