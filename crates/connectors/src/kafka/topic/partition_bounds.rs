//! Where partitions begin and end in Kafka, and positions that lie outside.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::warn;
use windrow_engine::halt::LostOffset;
use windrow_engine::{Halt, Offset, Partition, PartitionOffsets};
use windrow_spec::{KafkaSourceSpec, LostOffsetPolicy};

const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The offsets of one partition that Kafka holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartitionBounds {
    /// The offset of the oldest record still kept.
    pub(crate) first: Offset,
    /// The offset behind the newest record.
    pub(crate) end: Offset,
}

/// Returns the bounds of `partitions`, with two requests to each broker. Partitions whose leader does not answer are
/// absent.
pub(crate) fn fetch_partition_bounds<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
) -> BTreeMap<Partition, PartitionBounds> {
    if partitions.is_empty() {
        return BTreeMap::new();
    }
    let one = |edge| fetch_offsets(consumer, topic, partitions, edge, LOOKUP_TIMEOUT);
    let Some(firsts) = one(KafkaOffset::Beginning) else { return BTreeMap::new() };
    let Some(ends) = one(KafkaOffset::End) else { return BTreeMap::new() };
    firsts
        .into_iter()
        .filter_map(|(partition, first)| ends.get(&partition).map(|&end| (partition, PartitionBounds { first, end })))
        .collect()
}

/// Returns where `partitions` end, as far as Kafka answers within `timeout`.
pub(crate) fn fetch_end_offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
    timeout: Duration,
) -> Option<PartitionOffsets> {
    fetch_offsets(consumer, topic, partitions, KafkaOffset::End, timeout)
}

/// Returns one bound of `partitions`. It is looked up by time, where two special times stand for the bounds.
fn fetch_offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
    bound: KafkaOffset,
    timeout: Duration,
) -> Option<PartitionOffsets> {
    let mut list = TopicPartitionList::new();
    for &partition in partitions {
        list.add_partition_offset(topic, partition, bound).ok()?;
    }
    let found = consumer.offsets_for_times(list, timeout).ok()?;
    let known = found.elements().into_iter().filter_map(|element| match (element.error(), element.offset()) {
        (Ok(()), KafkaOffset::Offset(offset)) => Some((element.partition(), offset)),
        _ => None,
    });
    Some(known.collect())
}

impl PartitionBounds {
    pub(crate) fn contains(self, position: Offset) -> bool {
        (self.first..=self.end).contains(&position)
    }

    /// Returns where reading of a partition continues whose next offset `position` is not in Kafka.
    ///
    /// # Errors
    /// [`Halt::LostOffset`], unless the pipeline file accepts the loss.
    pub(crate) fn replacement_offset(
        self,
        position: Offset,
        partition: Partition,
        settings: &KafkaSourceSpec,
    ) -> Result<Offset, Halt> {
        let Self { first, end } = self;
        let lost = LostOffset { topic: settings.topic.clone(), partition, offset: position, first, end };
        match settings.on_lost_offset {
            LostOffsetPolicy::Halt => Err(lost.into()),
            LostOffsetPolicy::Earliest => {
                warn!(
                    partition,
                    position,
                    first,
                    end,
                    "{lost}; reading continues at offset {first}, as on_lost_offset says: windows are incomplete"
                );
                Ok(first)
            }
        }
    }
}
