//! The consumer that reads a worker's records. This consumer is not a member of the group.
//!
//! Owns: the partitions that are being read, and the next offset of each. Does not own: the choice of these partitions,
//! which the group or the bounded job makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use windrow_engine::{Halt, LogPosition, Offset, Partition, PartitionOffsets};
use windrow_spec::{KafkaSourceSpec, StartPosition};

use super::fetch_statistics::{FetchStatistics, RecordConsumerContext};
use super::leader_epoch;
use super::read_progress::ReadProgress;
use crate::kafka::bounded_close::BoundedCloseConsumer;
use crate::kafka::client_config;
use crate::kafka::halts::build_refused_settings_halt;

pub(super) struct RecordConsumer {
    consumer: BoundedCloseConsumer<RecordConsumerContext>,
    topic: String,
    pub(super) read_progress: ReadProgress,
    fetch_statistics: FetchStatistics,
    partitions_being_read: BTreeSet<Partition>,
    /// The positions at which reading will start, as far as their leader epochs are known.
    start_positions: BTreeMap<Partition, LogPosition>,
}

impl RecordConsumer {
    /// Creates a consumer without partitions.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(super) fn new(settings: &KafkaSourceSpec) -> Result<Self, Halt> {
        let consumer = client_config::record_consumer_config(settings)
            .create_with_context(RecordConsumerContext::default())
            .map(|consumer| BoundedCloseConsumer::new(consumer, None))
            .map_err(|error| build_refused_settings_halt(&settings.brokers, error))?;
        Ok(Self {
            consumer,
            topic: settings.topic.clone(),
            read_progress: ReadProgress::default(),
            fetch_statistics: FetchStatistics::default(),
            partitions_being_read: BTreeSet::new(),
            start_positions: BTreeMap::new(),
        })
    }

    pub(super) fn poll(&self, wait: Duration) -> Option<KafkaResult<BorrowedMessage<'_>>> {
        self.consumer.poll(wait)
    }

    /// Notes that [`Self::poll`] has returned `None`: all fetched records are delivered.
    pub(super) fn note_empty_queue(&mut self) {
        self.fetch_statistics.note_empty_queue(self.consumer.context().newest_statistics());
    }

    /// Returns those partitions in `ends` of which every record before its offset in `ends` has been delivered.
    pub(super) fn select_partitions_read_until(&self, ends: &PartitionOffsets) -> Vec<Partition> {
        let (positions, fetched) =
            (self.read_progress.next_positions(), self.fetch_statistics.delivered_until(&self.topic));
        let is_read = |(&partition, &end): (&Partition, &Offset)| {
            let position = positions.get(&partition)?;
            let delivered_until =
                fetched.get(&partition).map_or(position.offset, |&offset| offset.max(position.offset));
            (delivered_until >= end).then_some(partition)
        };
        ends.iter().filter_map(is_read).collect()
    }

    /// Notes the leader epochs of start positions, so that librdkafka looks for lost records when it starts to read there.
    pub(super) fn note_start_positions(&mut self, positions: &BTreeMap<Partition, LogPosition>) {
        self.start_positions.extend(positions);
    }

    /// Starts reading `partitions`, each at its offset in `starts`. A partition that `starts` omits begins at
    /// `default_start`.
    fn start_reading(
        &mut self,
        partitions: &[Partition],
        starts: &BTreeMap<Partition, Offset>,
        default_start: StartPosition,
    ) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let offset = match (starts.get(partition), default_start) {
                (Some(&offset), _) => KafkaOffset::Offset(offset),
                (None, StartPosition::Earliest) => KafkaOffset::Beginning,
                (None, StartPosition::Latest) => KafkaOffset::End,
            };
            list.add_partition_offset(&self.topic, *partition, offset)?;
        }
        let mut positions = BTreeMap::new();
        for (&partition, &offset) in starts {
            let noted = self.start_positions.remove(&partition).filter(|noted| noted.offset == offset);
            positions.insert(partition, noted.unwrap_or(LogPosition { offset, leader_epoch: None }));
        }
        leader_epoch::set_leader_epochs(&list, &self.topic, &positions);
        self.consumer.incremental_assign(&list)?;
        // librdkafka remembers the pause of a partition, also while the partition is not assigned.
        self.consumer.resume(&list)?;
        self.partitions_being_read.extend(partitions);
        self.fetch_statistics.note_start(partitions, &self.consumer.context().newest_statistics());
        positions.iter().for_each(|(&partition, &position)| self.read_progress.note_progress(partition, position));
        Ok(())
    }

    /// Stops reading `partitions`. Ignores partitions that are not being read.
    pub(super) fn stop_reading(&mut self, partitions: &[Partition]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            self.read_progress.remove_partition(*partition);
            if self.partitions_being_read.remove(partition) {
                list.add_partition(&self.topic, *partition);
            }
        }
        if list.count() == 0 { Ok(()) } else { self.consumer.incremental_unassign(&list) }
    }

    /// Starts reading `partitions` like [`Self::start_reading`], also those that are already being read. Unassigns these
    /// and assigns them again, because librdkafka refuses to seek in a partition whose next offset Kafka no longer holds.
    pub(super) fn restart_reading(
        &mut self,
        partitions: &[Partition],
        starts: &BTreeMap<Partition, Offset>,
        default_start: StartPosition,
    ) -> KafkaResult<()> {
        self.stop_reading(partitions)?;
        self.start_reading(partitions, starts, default_start)
    }

    /// Continues reading `partition` at `offset`.
    pub(super) fn restart_partition_at(&mut self, partition: Partition, offset: Offset) -> KafkaResult<()> {
        self.restart_reading(&[partition], &BTreeMap::from([(partition, offset)]), StartPosition::Earliest)
    }

    pub(super) fn clone_consumer_handle(&self) -> Arc<BaseConsumer<RecordConsumerContext>> {
        self.consumer.clone_consumer_handle()
    }
}
