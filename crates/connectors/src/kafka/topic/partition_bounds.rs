//! Fetches the first and end offsets of partitions, and decides what follows if Kafka no longer holds an offset.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::warn;
use windrow_engine::halt::LostOffset;
use windrow_engine::{HeldOffsets, Offset, Partition, PartitionOffsets};
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

/// What follows if a partition does not hold the offset at which reading would continue.
pub(crate) enum LostOffsetVerdict {
    /// Kafka has deleted records. Reading continues at this offset, the first that Kafka holds.
    ContinueAt(Offset),
    /// Kafka has lost records that were already read. The worker goes back to an older state.
    GoBack,
    /// The setting `on_lost_offset` does not accept the loss.
    Refuse(LostOffset),
}

/// Decides what follows if `partition` does not hold `position`, as the setting `on_lost_offset` says. Logs a loss that
/// the setting accepts.
pub(crate) fn judge_lost_offset(
    held: HeldOffsets,
    position: Offset,
    partition: Partition,
    settings: &KafkaSourceSpec,
) -> LostOffsetVerdict {
    let HeldOffsets { first_offset: first, end_offset: end } = held;
    let lost = LostOffset {
        topic: settings.topic.clone(),
        partition,
        lost_offset: position,
        first_kept_offset: first,
        end_offset: end,
    };
    match settings.lost_offset_policy {
        LostOffsetPolicy::Halt => LostOffsetVerdict::Refuse(lost),
        LostOffsetPolicy::Earliest if lost.has_lost_read_records() => {
            warn!(partition, position, first, end, "{lost}; the partition goes back, as `on_lost_offset` says");
            LostOffsetVerdict::GoBack
        }
        LostOffsetPolicy::Earliest => {
            warn!(
                partition,
                position,
                first,
                end,
                "{lost}; reading continues at offset {first}, as `on_lost_offset` says; windows are incomplete"
            );
            LostOffsetVerdict::ContinueAt(first)
        }
    }
}
