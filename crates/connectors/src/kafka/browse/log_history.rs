//! Asks Kafka whether a partition still holds the records before a position (KIP-320).
//!
//! librdkafka asks the same while it reads, but does not expose the request OffsetForLeaderEpoch.
//! Invariant: a call ends in bounded time, also while Kafka is unreachable.

use std::fmt;

use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{BrokerId, OffsetForLeaderEpochRequest};
use tokio::runtime::Builder;
use windrow_engine::halt::share_error;
use windrow_engine::{HeldOffsets, LeaderEpoch, LogHistory, LogHistoryFault, LogPosition, Offset, Partition};
use windrow_spec::KafkaSourceSpec;

use super::browser::KafkaBrowser;
use super::error::BrowseError;
use super::offsets::{OffsetQuery, TopicAndPartition, collect_partition_leaders, fetch_offsets};
use super::wire::cluster_connections::{ClusterConnections, to_topic_name};
use crate::kafka::topic::partition_bounds::{LostOffsetVerdict, judge_lost_offset};

/// The replica id of a client that is not a broker.
const CLIENT_REPLICA_ID: BrokerId = BrokerId(-1);
/// The leader epoch and the offset of an answer that knows none.
const UNKNOWN: i64 = -1;

/// The history of one topic's partitions.
pub struct KafkaLogHistory {
    browser: KafkaBrowser,
    settings: KafkaSourceSpec,
}

impl fmt::Debug for KafkaLogHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaLogHistory").field("topic", &self.settings.topic).finish_non_exhaustive()
    }
}

/// Where the records of a leader epoch end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct EpochEnd {
    /// The requested leader epoch, or the largest smaller one that the partition has.
    leader_epoch: LeaderEpoch,
    /// The offset after the last record of this leader epoch.
    end_offset: Offset,
}

impl KafkaLogHistory {
    /// Creates the history of the topic in `settings`.
    #[must_use]
    pub fn new(settings: &KafkaSourceSpec) -> Self {
        Self { browser: KafkaBrowser::new(&settings.brokers), settings: settings.clone() }
    }

    async fn request_shared_offsets(
        &self,
        partition: Partition,
        offset: Offset,
        leader_epoch: LeaderEpoch,
    ) -> Result<Option<HeldOffsets>, BrowseError> {
        let name = &self.settings.topic;
        let mut connections = ClusterConnections::open(&self.browser).await?;
        let metadata = connections.fetch_metadata(Some(&[name])).await?;
        let key = TopicAndPartition { topic: name.clone(), partition };
        let mut leaders = collect_partition_leaders(&metadata);
        leaders.retain(|known, _| *known == key);
        let subject = format!("partition {partition} of topic `{name}`");
        let silent = || BrowseError::Unreachable(format!("the leader of {subject} does not answer"));
        let Some(&leader) = leaders.get(&key) else { return Err(silent()) };
        let asked = OffsetForLeaderPartition::default()
            .with_partition(partition)
            .with_current_leader_epoch(-1)
            .with_leader_epoch(leader_epoch);
        let topic = OffsetForLeaderTopic::default().with_topic(to_topic_name(name)).with_partitions(vec![asked]);
        let request =
            OffsetForLeaderEpochRequest::default().with_replica_id(CLIENT_REPLICA_ID).with_topics(vec![topic]);
        let answers = connections.ask_brokers(vec![(leader, request)]).await;
        let answer = answers.into_iter().next().ok_or_else(silent)?.result?;
        let answered = answer.topics.into_iter().flat_map(|topic| topic.partitions);
        let found = answered.into_iter().find(|found| found.partition == partition).ok_or_else(silent)?;
        if let Some(error) = BrowseError::from_error_code(found.error_code, &subject) {
            return Err(error);
        }
        if i64::from(found.leader_epoch) == UNKNOWN || found.end_offset == UNKNOWN {
            return Ok(None);
        }
        let first = fetch_offsets(&mut connections, &leaders, OffsetQuery::First).await;
        let first_offset = *first.get(&key).ok_or_else(silent)?;
        let found = EpochEnd { leader_epoch: found.leader_epoch, end_offset: found.end_offset };
        Ok(Some(HeldOffsets { first_offset, end_offset: shared_end(offset, leader_epoch, found) }))
    }
}

/// Returns the offset before which the partition holds the records that a reader has read up to `offset`, whose last
/// record had `leader_epoch`.
fn shared_end(offset: Offset, leader_epoch: LeaderEpoch, found: EpochEnd) -> Offset {
    if found.leader_epoch < leader_epoch {
        // The partition has no record of `leader_epoch` any more, so the record before `offset` is not there.
        found.end_offset.min(offset - 1)
    } else {
        found.end_offset
    }
}

impl LogHistory for KafkaLogHistory {
    fn find_shared_offsets(
        &self,
        partition: Partition,
        position: LogPosition,
    ) -> Result<Option<HeldOffsets>, LogHistoryFault> {
        let Some(leader_epoch) = position.leader_epoch else { return Ok(None) };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| LogHistoryFault::NoAnswer(share_error(error)))?;
        match runtime.block_on(self.request_shared_offsets(partition, position.offset, leader_epoch)) {
            Ok(Some(shared)) if shared.end_offset < position.offset => {
                match judge_lost_offset(shared, position.offset, partition, &self.settings) {
                    LostOffsetVerdict::Refuse(lost) => Err(LogHistoryFault::Halted(lost.into())),
                    LostOffsetVerdict::GoBack | LostOffsetVerdict::ContinueAt(_) => Ok(Some(shared)),
                }
            }
            Ok(shared) => Ok(shared),
            // The broker is too old, or this client may not ask: nothing is known.
            Err(BrowseError::Unsupported(_) | BrowseError::Refused(_) | BrowseError::NotFound(_)) => Ok(None),
            Err(error) => Err(LogHistoryFault::NoAnswer(share_error(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_leader_epoch_ends_before_the_position() {
        let end = |leader_epoch, end_offset| shared_end(45, 5, EpochEnd { leader_epoch, end_offset });
        assert_eq!(end(5, 60), 60, "the epoch goes on behind the position");
        assert_eq!(end(5, 40), 40, "records of the epoch were lost");
        assert_eq!(end(3, 30), 30, "the whole epoch was lost");
        assert_eq!(end(3, 50), 44, "an older epoch takes the place of the epoch");
    }
}
