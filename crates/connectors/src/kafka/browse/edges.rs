//! Where partitions begin and end, asked of their leaders.

use std::collections::BTreeMap;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, MetadataResponse};

use super::session::{Session, topic_name};
use super::{BrowseError, Positions};

const END: i64 = -1;
const FIRST: i64 = -2;
const READ_UNCOMMITTED: i8 = 0;
const READ_COMMITTED: i8 = 1;
/// Brokers answer with an error after this.
const BROKER_PATIENCE_MS: i32 = 5_000;

/// A partition of a topic.
pub(super) type At = (String, i32);

/// Who leads which partition; those without a leader are absent.
pub(super) type Leaders = BTreeMap<At, i32>;

pub(super) fn leaders(metadata: &MetadataResponse) -> Leaders {
    let mut leaders = Leaders::new();
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
pub(super) enum By {
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
pub(super) async fn offsets(session: &mut Session, leaders: &Leaders, by: By) -> BTreeMap<At, i64> {
    let (timestamp, isolation) = match by {
        By::First => (FIRST, READ_UNCOMMITTED),
        By::End => (END, READ_UNCOMMITTED),
        By::ReadableEnd => (END, READ_COMMITTED),
        By::Time(time_ms) => (time_ms.max(0), READ_COMMITTED),
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
            .with_timeout_ms(BROKER_PATIENCE_MS);
        (leader, request)
    });
    let mut found = BTreeMap::new();
    for (_, answer) in session.ask_each(requests.collect()).await {
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
pub(super) struct Readable {
    pub(super) first: Positions,
    /// Behind the last record that can be read.
    pub(super) end: Positions,
}

/// Where the partitions of `topic` that can be read begin and end, and if asked, where records of a time and later begin.
pub(super) async fn readable(
    session: &mut Session,
    topic: &str,
    only: Option<i32>,
    time_ms: Option<i64>,
) -> Result<(Readable, Positions), BrowseError> {
    let leaders = leaders_of(session, topic, only).await?;
    let of_topic = |found: BTreeMap<At, i64>| found.into_iter().map(|((_, partition), offset)| (partition, offset));
    let mut first: BTreeMap<i32, i64> = of_topic(offsets(session, &leaders, By::First).await).collect();
    let mut end: BTreeMap<i32, i64> = of_topic(offsets(session, &leaders, By::ReadableEnd).await).collect();
    first.retain(|partition, _| end.contains_key(partition));
    end.retain(|partition, _| first.contains_key(partition));
    if first.is_empty() {
        return Err(BrowseError::Away(format!("no leader of topic `{topic}` answers")));
    }
    let timed = match time_ms {
        Some(time_ms) => of_topic(offsets(session, &leaders, By::Time(time_ms)).await).collect(),
        None => BTreeMap::new(),
    };
    Ok((Readable { first: Positions(first), end: Positions(end) }, Positions(timed)))
}

async fn leaders_of(session: &mut Session, topic: &str, only: Option<i32>) -> Result<Leaders, BrowseError> {
    let metadata = session.metadata(Some(&[topic])).await?;
    let found = metadata.topics.first();
    let error = found.and_then(|found| BrowseError::of(found.error_code, &format!("topic `{topic}`")));
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
    let mut leaders = leaders(&metadata);
    leaders.retain(|(_, partition), _| only.is_none_or(|only| only == *partition));
    if leaders.is_empty() {
        return Err(BrowseError::Away(format!("no partition of topic `{topic}` that is asked for has a leader")));
    }
    Ok(leaders)
}
