//! Where partitions begin and end in Kafka now, and positions that lie outside.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::warn;
use windrow_engine::{Halt, Offset, Partition, PartitionOffsets};
use windrow_spec::{KafkaSourceSpec as Settings, LostOffsetPolicy};

const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// What Kafka holds of one partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartitionBounds {
    /// The offset of the oldest record still kept.
    pub(crate) first: Offset,
    /// The offset behind the newest.
    pub(crate) end: Offset,
}

/// The edges of `partitions`; those that Kafka does not tell are absent. Two requests to each broker, however many
/// partitions there are.
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

/// Where `partitions` end, as far as Kafka tells within `patience`.
pub(crate) fn fetch_end_offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
    timeout: Duration,
) -> Option<PartitionOffsets> {
    fetch_offsets(consumer, topic, partitions, KafkaOffset::End, timeout)
}

/// One edge of `partitions`. Looked up by time, where two times stand for the edges.
fn fetch_offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
    edge: KafkaOffset,
    timeout: Duration,
) -> Option<PartitionOffsets> {
    let mut list = TopicPartitionList::new();
    for &partition in partitions {
        list.add_partition_offset(topic, partition, edge).ok()?;
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

    /// Where a partition goes on whose next record would have been at `position`, which is not in Kafka.
    ///
    /// # Errors
    /// [`Halt::LostOffset`], unless the pipeline file says to go on.
    pub(crate) fn replacement_offset(
        self,
        position: Offset,
        partition: Partition,
        settings: &Settings,
    ) -> Result<Offset, Halt> {
        let Self { first, end } = self;
        let what = if position < first {
            format!(
                "offset {position}, where reading of partition {partition} goes on, is no longer in topic `{}`: the first \
                 offset kept is {first}, so {} records were deleted unread",
                settings.topic,
                first - position
            )
        } else {
            format!(
                "offset {position}, where reading of partition {partition} goes on, lies beyond the end of topic `{}` \
                 there ({end}): Kafka has lost records that were read already. The first offset kept is {first}",
                settings.topic
            )
        };
        match settings.on_lost_offset {
            LostOffsetPolicy::Halt => Err(Halt::LostOffset(format!(
                "{what}. Windows computed without them would be wrong. Set `source.kafka.on_lost_offset = \"earliest\"` to \
                 accept that and go on at offset {first}, or use a new `source.kafka.group` to read everything anew."
            ))),
            LostOffsetPolicy::Earliest => {
                warn!(
                    partition,
                    position,
                    first,
                    end,
                    "{what}; going on at offset {first}, as on_lost_offset says: windows are incomplete"
                );
                Ok(first)
            }
        }
    }
}
