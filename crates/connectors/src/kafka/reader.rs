//! The consumer that records come through: it reads what it is told to, and belongs to no group.
//!
//! Owns: which partitions are read, and where. Does not own: who decides that (the group, or a fixed share).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::{debug, warn};
use windrow_engine::{Halt, Offset, Partition};
use windrow_spec::{KafkaSource as Settings, Start};

use super::edges::{self, Edges};
use super::leaving::Leaving;
use super::unreadable::Standstills;
use super::{client, logs};

/// One worker's consumer of records.
pub(super) struct Reader {
    consumer: Leaving<Quiet>,
    topic: String,
    /// The partitions being read, and what is known of their progress.
    pub(super) standstills: Standstills,
    reading: BTreeSet<Partition>,
}

impl Reader {
    /// A reader of nothing yet.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub(super) fn new(settings: &Settings) -> Result<Self, Halt> {
        let consumer = client::reader(settings)
            .create_with_context(Quiet)
            .map(Leaving::new)
            .map_err(|error| Halt::Refused(format!("cannot create a Kafka consumer: {error}")))?;
        Ok(Self {
            consumer,
            topic: settings.topic.clone(),
            standstills: Standstills::default(),
            reading: BTreeSet::new(),
        })
    }

    pub(super) fn poll(&self, wait: Duration) -> Option<KafkaResult<BorrowedMessage<'_>>> {
        self.consumer.poll(wait)
    }

    /// What Kafka holds of `partitions` now.
    pub(super) fn edges(&self, partitions: &[Partition]) -> BTreeMap<Partition, Edges> {
        edges::ask(&self.consumer, &self.topic, partitions)
    }

    /// Starts reading `partitions`, each at its offset in `starts`, or by `start` where it has none there.
    pub(super) fn start(
        &mut self,
        partitions: &[Partition],
        starts: &BTreeMap<Partition, Offset>,
        start: Start,
    ) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let offset = match (starts.get(partition), start) {
                (Some(&offset), _) => KafkaOffset::Offset(offset),
                (None, Start::Earliest) => KafkaOffset::Beginning,
                (None, Start::Latest) => KafkaOffset::End,
            };
            list.add_partition_offset(&self.topic, *partition, offset)?;
        }
        self.consumer.incremental_assign(&list)?;
        self.reading.extend(partitions);
        starts.iter().for_each(|(&partition, &offset)| self.standstills.moved(partition, offset));
        Ok(())
    }

    /// Stops reading those of `partitions` that are read.
    pub(super) fn stop(&mut self, partitions: &[Partition]) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            self.standstills.forget(*partition);
            if self.reading.remove(partition) {
                list.add_partition(&self.topic, *partition);
            }
        }
        if list.count() == 0 { Ok(()) } else { self.consumer.incremental_unassign(&list) }
    }

    /// Goes on at `offset`. (Not by `seek`, which librdkafka refuses for a partition whose offset was lost.)
    pub(super) fn restart(&mut self, partition: Partition, offset: Offset) -> KafkaResult<()> {
        self.stop(&[partition])?;
        self.start(&[partition], &BTreeMap::from([(partition, offset)]), Start::Earliest)
    }

    pub(super) fn share(&self) -> Arc<BaseConsumer<Quiet>> {
        self.consumer.share()
    }
}

/// Tells about commits that failed, and logs what librdkafka says.
pub(super) struct Quiet;

impl ConsumerContext for Quiet {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            warn!(%error, "offsets were not committed; the next commit covers them, at the latest the one at the end");
        }
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        logs::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, reason);
    }
}
