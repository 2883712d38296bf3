//! The consumer that reads a worker's records. It belongs to no group.
//!
//! Owns: which partitions are read, and their next offsets. Does not own: the assignment, which the group or the job
//! decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use windrow_engine::{Halt, Offset, Partition};
use windrow_spec::{KafkaSourceSpec, StartPosition};

use super::read_progress::ReadProgress;
use crate::kafka::bounded_close::BoundedCloseConsumer;
use crate::kafka::client;
use crate::kafka::client_context::LoggingContext;
use crate::kafka::halts::halt_for_refused_client;
use crate::kafka::topic::partition_bounds::{self, PartitionBounds};

/// A worker's consumer of records.
pub(super) struct RecordConsumer {
    consumer: BoundedCloseConsumer<LoggingContext>,
    topic: String,
    /// The next offset of each partition that is read.
    pub(super) progress: ReadProgress,
    partitions_being_read: BTreeSet<Partition>,
}

impl RecordConsumer {
    /// Creates a consumer without partitions.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(super) fn new(settings: &KafkaSourceSpec) -> Result<Self, Halt> {
        let consumer = client::record_consumer_config(settings)
            .create_with_context(LoggingContext)
            .map(BoundedCloseConsumer::new)
            .map_err(|error| halt_for_refused_client(&settings.brokers, error))?;
        Ok(Self {
            consumer,
            topic: settings.topic.clone(),
            progress: ReadProgress::default(),
            partitions_being_read: BTreeSet::new(),
        })
    }

    pub(super) fn poll(&self, wait: Duration) -> Option<KafkaResult<BorrowedMessage<'_>>> {
        self.consumer.poll(wait)
    }

    /// Returns the first and the end offset that Kafka holds of each of `partitions`.
    pub(super) fn fetch_partition_bounds(&self, partitions: &[Partition]) -> BTreeMap<Partition, PartitionBounds> {
        partition_bounds::fetch_partition_bounds(&self.consumer, &self.topic, partitions)
    }

    /// Starts reading `partitions`, each at its offset in `starts`. A partition without an offset there starts at
    /// `start`.
    pub(super) fn start_reading(
        &mut self,
        partitions: &[Partition],
        starts: &BTreeMap<Partition, Offset>,
        start: StartPosition,
    ) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let offset = match (starts.get(partition), start) {
                (Some(&offset), _) => KafkaOffset::Offset(offset),
                (None, StartPosition::Earliest) => KafkaOffset::Beginning,
                (None, StartPosition::Latest) => KafkaOffset::End,
            };
            list.add_partition_offset(&self.topic, *partition, offset)?;
        }
        self.consumer.incremental_assign(&list)?;
        self.partitions_being_read.extend(partitions);
        starts.iter().for_each(|(&partition, &offset)| self.progress.note_next_offset(partition, offset));
        Ok(())
    }

    /// Stops reading `partitions`. Partitions that are not being read are ignored.
    pub(super) fn stop_reading(&mut self, partitions: &[Partition]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            self.progress.remove_partition(*partition);
            if self.partitions_being_read.remove(partition) {
                list.add_partition(&self.topic, *partition);
            }
        }
        if list.count() == 0 { Ok(()) } else { self.consumer.incremental_unassign(&list) }
    }

    /// Stops delivering records of `partitions` and keeps their offsets. Partitions that are not being read are
    /// ignored.
    pub(super) fn pause_reading(&self, partitions: &[Partition]) -> KafkaResult<()> {
        self.consumer.pause(&self.filter_partitions_being_read(partitions))
    }

    /// Delivers the records of the paused `partitions` again.
    pub(super) fn resume_reading(&self, partitions: &[Partition]) -> KafkaResult<()> {
        self.consumer.resume(&self.filter_partitions_being_read(partitions))
    }

    /// Returns the list of those `partitions` that are being read.
    fn filter_partitions_being_read(&self, partitions: &[Partition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions.iter().filter(|partition| self.partitions_being_read.contains(partition)) {
            list.add_partition(&self.topic, *partition);
        }
        list
    }

    /// Continues reading `partition` at `offset`. A `seek` does not suffice: librdkafka refuses it for a partition
    /// whose offset was lost.
    pub(super) fn restart_partition_at(&mut self, partition: Partition, offset: Offset) -> KafkaResult<()> {
        self.stop_reading(&[partition])?;
        self.start_reading(&[partition], &BTreeMap::from([(partition, offset)]), StartPosition::Earliest)
    }

    pub(super) fn share_consumer(&self) -> Arc<BaseConsumer<LoggingContext>> {
        self.consumer.share_consumer()
    }
}
