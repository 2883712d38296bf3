//! The consumer that records come through. It belongs to no group.
//!
//! Owns: which partitions are read, and where. Does not own: the decision, which is the group's or the job's.

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
use crate::kafka::halts::refuse_client;
use crate::kafka::topic::partition_bounds::{self, PartitionBounds};

/// One worker's consumer of records.
pub(super) struct RecordConsumer {
    consumer: BoundedCloseConsumer<LoggingContext>,
    topic: String,
    /// Where reading stands in each partition.
    pub(super) progress: ReadProgress,
    reading: BTreeSet<Partition>,
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
            .map_err(|error| refuse_client(&settings.brokers, error))?;
        Ok(Self {
            consumer,
            topic: settings.topic.clone(),
            progress: ReadProgress::default(),
            reading: BTreeSet::new(),
        })
    }

    pub(super) fn poll(&self, wait: Duration) -> Option<KafkaResult<BorrowedMessage<'_>>> {
        self.consumer.poll(wait)
    }

    /// Returns which offsets of `partitions` Kafka holds.
    pub(super) fn fetch_bounds(&self, partitions: &[Partition]) -> BTreeMap<Partition, PartitionBounds> {
        partition_bounds::fetch_partition_bounds(&self.consumer, &self.topic, partitions)
    }

    /// Starts reading `partitions`, each at its offset in `starts`, or at `start` where it has none there.
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
        self.reading.extend(partitions);
        starts.iter().for_each(|(&partition, &offset)| self.progress.set_position(partition, offset));
        Ok(())
    }

    /// Stops reading `partitions`; those that are not read are ignored.
    pub(super) fn stop_reading(&mut self, partitions: &[Partition]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            self.progress.remove(*partition);
            if self.reading.remove(partition) {
                list.add_partition(&self.topic, *partition);
            }
        }
        if list.count() == 0 { Ok(()) } else { self.consumer.incremental_unassign(&list) }
    }

    /// Stops delivering the records of those of `partitions` that are read, and keeps their place.
    pub(super) fn pause_reading(&self, partitions: &[Partition]) -> KafkaResult<()> {
        self.consumer.pause(&self.list_reading(partitions))
    }

    /// Delivers the records of paused partitions again.
    pub(super) fn resume_reading(&self, partitions: &[Partition]) -> KafkaResult<()> {
        self.consumer.resume(&self.list_reading(partitions))
    }

    /// Lists those of `partitions` that are read.
    fn list_reading(&self, partitions: &[Partition]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions.iter().filter(|partition| self.reading.contains(partition)) {
            list.add_partition(&self.topic, *partition);
        }
        list
    }

    /// Continues `partition` at `offset`. (Not by `seek`, which librdkafka refuses for a partition whose offset was lost.)
    pub(super) fn restart_at(&mut self, partition: Partition, offset: Offset) -> KafkaResult<()> {
        self.stop_reading(&[partition])?;
        self.start_reading(&[partition], &BTreeMap::from([(partition, offset)]), StartPosition::Earliest)
    }

    pub(super) fn share_consumer(&self) -> Arc<BaseConsumer<LoggingContext>> {
        self.consumer.share_consumer()
    }
}
