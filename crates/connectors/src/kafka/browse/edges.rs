//! Where partitions begin and end, asked of their leaders.

use std::collections::BTreeMap;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, MetadataResponse};

use super::session::{ClusterSession, topic_name};
use super::{BrowseError, PartitionPositions};

const END_TIMESTAMP: i64 = -1;
const FIRST_TIMESTAMP: i64 = -2;
const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;
/// Brokers answer with an error after this.
const BROKER_TIMEOUT_MS: i32 = 5_000;

/// A partition of a topic.
pub(super) type PartitionKey = (String, i32);

/// Who leads which partition; those without a leader are absent.
pub(super) type PartitionLeaders = BTreeMap<PartitionKey, i32>;

pub(super) fn partition_leaders(metadata: &MetadataResponse) -> PartitionLeaders {
    let mut leaders = PartitionLeaders::new();
    for topic in &metadata.topics {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            if partition.leader_id.0 >= 0 {
                leaders.insert((name.0.to_string(), partition.partition_index), partition.leader_id.0);
            }
        }
    }
    leaders
}

/// What a partition's offset is asked by.
#[derive(Clone, Copy, Debug)]
pub(super) enum OffsetQuery {
    /// The oldest record kept.
    First,
    /// Behind the newest record.
    End,
    /// Behind the newest record of no open transaction: as far as can be read.
    ReadableEnd,
    /// The first record with this timestamp or a later one; there may be none.
    Time(i64),
}

/// Offsets of the partitions in `leaders`. Those whose leader does not answer, and those without such a record, are absent.
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
    let mut asked: BTreeMap<i32, BTreeMap<&str, Vec<ListOffsetsPartition>>> = BTreeMap::new();
    for ((topic, partition), leader) in leaders {
        let question = ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(timestamp);
        asked.entry(*leader).or_default().entry(topic).or_default().push(question);
    }
    let requests = asked.into_iter().map(|(leader, topics)| {
        let topics = topics
            .into_iter()
            .map(|(topic, partitions)| {
                ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
            })
            .collect();
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(isolation)
            .with_topics(topics)
            .with_timeout_ms(BROKER_TIMEOUT_MS);
        (leader, request)
    });
    let mut found = BTreeMap::new();
    for (_, answer) in session.ask_brokers(requests.collect()).await {
        let Ok((answer, _)) = answer else { continue };
        for topic in answer.topics {
            for partition in topic.partitions {
                if partition.error_code == 0 && partition.offset >= 0 {
                    found.insert((topic.name.0.to_string(), partition.partition_index), partition.offset);
                }
            }
        }
    }
    found
}

/// What of one topic can be read.
pub(super) struct ReadableRange {
    pub(super) first: PartitionPositions,
    /// Behind the last record that can be read.
    pub(super) end: PartitionPositions,
}

/// Where the partitions of `topic` that can be read begin and end, and if asked, where records of a time and later begin.
pub(super) async fn fetch_readable_range(
    session: &mut ClusterSession,
    topic: &str,
    only: Option<i32>,
    time_ms: Option<i64>,
) -> Result<(ReadableRange, PartitionPositions), BrowseError> {
    let leaders = fetch_leaders(session, topic, only).await?;
    let of_topic =
        |found: BTreeMap<PartitionKey, i64>| found.into_iter().map(|((_, partition), offset)| (partition, offset));
    let mut first: BTreeMap<i32, i64> = of_topic(fetch_offsets(session, &leaders, OffsetQuery::First).await).collect();
    let mut end: BTreeMap<i32, i64> =
        of_topic(fetch_offsets(session, &leaders, OffsetQuery::ReadableEnd).await).collect();
    first.retain(|partition, _| end.contains_key(partition));
    end.retain(|partition, _| first.contains_key(partition));
    if first.is_empty() {
        return Err(BrowseError::Unreachable(format!("no leader of topic `{topic}` answers")));
    }
    let timed = match time_ms {
        Some(time_ms) => of_topic(fetch_offsets(session, &leaders, OffsetQuery::Time(time_ms)).await).collect(),
        None => BTreeMap::new(),
    };
    Ok((ReadableRange { first: PartitionPositions(first), end: PartitionPositions(end) }, PartitionPositions(timed)))
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
    let partitions = found.map_or(0, |found| found.partitions.len());
    if let Some(partition) = only
        && !found.is_some_and(|found| found.partitions.iter().any(|one| one.partition_index == partition))
    {
        return Err(BrowseError::NotFound(format!(
            "topic `{topic}` has no partition {partition}: its {partitions} are numbered from 0"
        )));
    }
    let mut leaders = partition_leaders(&metadata);
    leaders.retain(|(_, partition), _| only.is_none_or(|only| only == *partition));
    if leaders.is_empty() {
        return Err(BrowseError::Unreachable(format!(
            "no partition of topic `{topic}` that is asked for has a leader"
        )));
    }
    Ok(leaders)
}
