//! The topic: partitions with records and leader epochs, as brokers keep them. An unclean election loses records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use windrow_engine::halt::{AddedPartitions, RecreatedTopic};
use windrow_engine::{Halt, HeldOffsets, LeaderEpoch, LogPosition, Offset, Partition};

/// The name of the topic in [`PIPELINE`].
pub(crate) const TOPIC: &str = "events";
/// The ids of the topic before and after it was created again.
const FIRST_TOPIC_ID: &str = "topic-1";
const LATER_TOPIC_ID: &str = "topic-2";

/// A record as a producer has written it.
#[derive(Debug)]
pub(crate) struct ProducedRecord {
    pub(crate) key: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) timestamp_ms: i64,
    pub(crate) leader_epoch: LeaderEpoch,
}

/// Where the records of a leader epoch begin.
#[derive(Clone, Copy, Debug)]
struct EpochStart {
    leader_epoch: LeaderEpoch,
    first_offset: Offset,
}

/// The log of a partition.
#[derive(Debug)]
struct PartitionLog {
    records: Vec<Arc<ProducedRecord>>,
    /// The leader epochs of the log, oldest first. The last one is that of the present leader.
    epoch_starts: Vec<EpochStart>,
}

impl PartitionLog {
    fn new() -> Self {
        Self { records: Vec::new(), epoch_starts: vec![EpochStart { leader_epoch: 1, first_offset: 0 }] }
    }

    fn end_offset(&self) -> Offset {
        Offset::try_from(self.records.len()).unwrap_or(Offset::MAX)
    }

    fn leader_epoch(&self) -> LeaderEpoch {
        self.epoch_starts.last().map_or(0, |start| start.leader_epoch)
    }

    /// Returns the requested leader epoch or the largest smaller one, and the end of its records, as a broker answers the
    /// request OffsetForLeaderEpoch.
    fn find_epoch_end(&self, leader_epoch: LeaderEpoch) -> EpochEndAnswer {
        let next = self.epoch_starts.iter().find(|start| start.leader_epoch > leader_epoch);
        let found = self.epoch_starts.iter().rev().find(|start| start.leader_epoch <= leader_epoch);
        let end_offset = next.map_or(self.end_offset(), |next| next.first_offset);
        // An epoch before all known ones ends where the oldest known one begins.
        EpochEndAnswer { leader_epoch: found.map_or(leader_epoch, |found| found.leader_epoch), end_offset }
    }
}

/// Where the records of a leader epoch end.
#[derive(Clone, Copy, Debug)]
struct EpochEndAnswer {
    leader_epoch: LeaderEpoch,
    end_offset: Offset,
}

/// A change of the topic after which the job must halt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TopicChange {
    /// The topic was deleted and created again.
    Recreated,
    /// The topic has one more partition.
    PartitionAdded,
}

/// The topic of a simulation.
#[derive(Debug)]
pub(crate) struct SimulatedTopic {
    change: Mutex<Option<TopicChange>>,
    partition_count: Partition,
    /// Whether every partition had a checkpoint when the topic changed.
    pub(crate) had_checkpoints_at_change: AtomicBool,
    partitions: Mutex<BTreeMap<Partition, PartitionLog>>,
}

impl SimulatedTopic {
    pub(crate) fn new(partition_count: Partition) -> Self {
        let partitions = (0..partition_count).map(|partition| (partition, PartitionLog::new())).collect();
        Self {
            change: Mutex::default(),
            partition_count,
            had_checkpoints_at_change: AtomicBool::new(false),
            partitions: Mutex::new(partitions),
        }
    }

    /// Returns the change after which the job must halt; `None` if there was none.
    pub(crate) fn change(&self) -> Option<TopicChange> {
        *self.change.lock()
    }

    pub(crate) fn begin_change(&self, change: TopicChange) {
        self.change.lock().get_or_insert(change);
    }

    /// Returns the id that Kafka tells now.
    pub(crate) fn topic_id(&self) -> &'static str {
        if self.change() == Some(TopicChange::Recreated) { LATER_TOPIC_ID } else { FIRST_TOPIC_ID }
    }

    /// Returns the number of partitions that Kafka tells now.
    pub(crate) fn partition_count(&self) -> Partition {
        self.partition_count + Partition::from(self.change() == Some(TopicChange::PartitionAdded))
    }

    /// Returns a halt if the topic is another than a process expects that started with `known_topic_id` and
    /// `known_partition_count`.
    pub(crate) fn verify_unchanged(&self, known_topic_id: &str, known_partition_count: Partition) -> Result<(), Halt> {
        let (topic, known_from_checkpoint) = (TOPIC.to_owned(), None);
        let (found_topic_id, found_partition_count) = (self.topic_id().to_owned(), self.partition_count());
        if found_topic_id != known_topic_id {
            let known_topic_id = known_topic_id.to_owned();
            return Err(RecreatedTopic { topic, known_topic_id, found_topic_id, known_from_checkpoint }.into());
        }
        if found_partition_count != known_partition_count {
            return Err(
                AddedPartitions { topic, known_partition_count, found_partition_count, known_from_checkpoint }.into()
            );
        }
        Ok(())
    }

    /// Appends a record to `partition`, and returns it.
    pub(crate) fn append_record(
        &self,
        partition: Partition,
        key: &str,
        payload: Vec<u8>,
        timestamp_ms: i64,
    ) -> Arc<ProducedRecord> {
        let mut partitions = self.partitions.lock();
        let log = partitions.entry(partition).or_insert_with(PartitionLog::new);
        let leader_epoch = log.leader_epoch();
        let record = Arc::new(ProducedRecord { key: key.as_bytes().to_vec(), payload, timestamp_ms, leader_epoch });
        log.records.push(Arc::clone(&record));
        record
    }

    /// Returns the record at `offset` of `partition`; `None` at the end of the partition.
    pub(crate) fn read_record(&self, partition: Partition, offset: Offset) -> Option<Arc<ProducedRecord>> {
        if self.change() == Some(TopicChange::Recreated) {
            return None;
        }
        self.partitions.lock().get(&partition)?.records.get(usize::try_from(offset).ok()?).cloned()
    }

    /// Returns the offset after the newest record of `partition`.
    pub(crate) fn end_offset(&self, partition: Partition) -> Offset {
        self.partitions.lock().get(&partition).map_or(0, PartitionLog::end_offset)
    }

    /// Gives `partition` a new leader that lacks the newest records. Returns the records that it has.
    pub(crate) fn elect_leader(&self, partition: Partition, lost_records: usize) -> Vec<Arc<ProducedRecord>> {
        let mut partitions = self.partitions.lock();
        let log = partitions.entry(partition).or_insert_with(PartitionLog::new);
        log.records.truncate(log.records.len().saturating_sub(lost_records));
        let (end_offset, leader_epoch) = (log.end_offset(), log.leader_epoch() + 1);
        log.epoch_starts.retain(|start| start.first_offset < end_offset);
        log.epoch_starts.push(EpochStart { leader_epoch, first_offset: end_offset });
        log.records.clone()
    }

    /// Returns the offsets that the log shares with a reader at `position`; `None` if the leader epoch is unknown.
    pub(crate) fn find_shared_offsets(&self, partition: Partition, position: LogPosition) -> Option<HeldOffsets> {
        let leader_epoch = position.leader_epoch?;
        let partitions = self.partitions.lock();
        let found = partitions.get(&partition)?.find_epoch_end(leader_epoch);
        let is_lost = found.leader_epoch < leader_epoch;
        let end_offset = if is_lost { found.end_offset.min(position.offset - 1) } else { found.end_offset };
        Some(HeldOffsets { first_offset: 0, end_offset })
    }
}
