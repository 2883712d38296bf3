//! Fetches the first and end offsets of partitions, and replaces offsets that Kafka no longer holds.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::warn;
use windrow_engine::halt::LostOffset;
use windrow_engine::{Halt, HeldOffsets, Offset, Partition, PartitionOffsets};
use windrow_spec::{KafkaSourceSpec, LostOffsetPolicy};

const BOUNDS_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the first and end offsets of `partitions`. Sends two requests to each broker. Omits partitions whose leader
/// does not answer.
pub(crate) fn fetch_partition_bounds<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
) -> BTreeMap<Partition, HeldOffsets> {
    if partitions.is_empty() {
        return BTreeMap::new();
    }
    let one = |edge| fetch_bound_offsets(consumer, topic, partitions, edge, BOUNDS_REQUEST_TIMEOUT);
    let Some(firsts) = one(KafkaOffset::Beginning) else { return BTreeMap::new() };
    let Some(ends) = one(KafkaOffset::End) else { return BTreeMap::new() };
    firsts
        .into_iter()
        .filter_map(|(partition, first)| {
            ends.get(&partition).map(|&end| (partition, HeldOffsets { first_offset: first, end_offset: end }))
        })
        .collect()
}

/// Returns the end offsets of those `partitions` for which Kafka answers within `timeout`.
pub(crate) fn fetch_end_offsets<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[Partition],
    timeout: Duration,
) -> Option<PartitionOffsets> {
    fetch_bound_offsets(consumer, topic, partitions, KafkaOffset::End, timeout)
}

/// Returns the first offset of each of `partitions` if `bound` is `Beginning`, or the end offset if `bound` is `End`.
/// This function looks up offsets by timestamp: Kafka has one special timestamp for the first offset and one for the
/// end offset.
fn fetch_bound_offsets<C: ConsumerContext>(
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

/// Returns the offset at which reading continues instead of `position`. Kafka has deleted the records before the first
/// offset that it holds.
///
/// # Errors
/// [`Halt::LostOffset`], unless the setting `on_lost_offset` accepts the loss.
pub(crate) fn replace_lost_offset(
    held: HeldOffsets,
    position: Offset,
    partition: Partition,
    settings: &KafkaSourceSpec,
) -> Result<Offset, Halt> {
    let HeldOffsets { first_offset: first, end_offset: end } = held;
    let lost = describe_lost_offset(held, position, partition, settings);
    match settings.lost_offset_policy {
        LostOffsetPolicy::Halt => Err(lost.into()),
        LostOffsetPolicy::Earliest => {
            warn!(
                partition,
                position,
                first,
                end,
                "{lost}; reading continues at offset {first}, as `on_lost_offset` says; windows are incomplete"
            );
            Ok(first)
        }
    }
}

/// Logs that a partition ends before `position`, at which reading was to continue.
///
/// # Errors
/// [`Halt::LostOffset`], unless the setting `on_lost_offset` accepts the loss.
pub(crate) fn accept_truncated_log(
    held: HeldOffsets,
    position: Offset,
    partition: Partition,
    settings: &KafkaSourceSpec,
) -> Result<(), Halt> {
    let HeldOffsets { first_offset: first, end_offset: end } = held;
    let lost = describe_lost_offset(held, position, partition, settings);
    match settings.lost_offset_policy {
        LostOffsetPolicy::Halt => Err(lost.into()),
        LostOffsetPolicy::Earliest => {
            warn!(partition, position, first, end, "{lost}; the partition goes back, as `on_lost_offset` says");
            Ok(())
        }
    }
}

fn describe_lost_offset(
    held: HeldOffsets,
    position: Offset,
    partition: Partition,
    settings: &KafkaSourceSpec,
) -> LostOffset {
    LostOffset {
        topic: settings.topic.clone(),
        partition,
        lost_offset: position,
        first_kept_offset: held.first_offset,
        end_offset: held.end_offset,
    }
}
