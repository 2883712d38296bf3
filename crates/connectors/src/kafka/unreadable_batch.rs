//! Finds the end of a batch that librdkafka cannot decompress. Such a batch is corrupt, or decompresses to more than
//! librdkafka allows (`receive.message.max.bytes`, 100 MB by default).
//!
//! librdkafka reports such a batch repeatedly, without naming the partition, and never reads past the batch. The source
//! first determines which partition is blocked (`source/read_progress.rs`). Then a separate consumer searches for the
//! end of the batch. The worker receives one unreadable record in place of the batch.
//! Invariant: no readable record is skipped, because the search ends at the first readable offset.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use windrow_engine::{Offset, Partition};

use super::client_config::base_config;

/// How long one attempt to read from an offset may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns whether `error` reports an unreadable batch.
pub(super) fn is_unreadable_batch(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::NotImplemented)
    )
}

/// Returns the first readable offset after the unreadable record at `start`. Returns `None` if that record is readable,
/// or Kafka does not answer.
pub(super) fn find_unreadable_batch_end(
    brokers: &str,
    topic: &str,
    partition: Partition,
    start: Offset,
) -> Option<Offset> {
    let consumer: BaseConsumer = base_config(brokers)
        .set("group.id", "windrow-unreadable-batch")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("queued.min.messages", "1")
        .create()
        .ok()?;
    let probe = |offset| probe_offset(&consumer, topic, partition, offset);
    let ProbeOutcome::Unreadable = probe(start)? else { return None };
    // The search doubles its step until an offset is readable, then bisects. `unreadable` is the largest offset that is
    // known to be unreadable. `readable` is the smallest offset that is known to be readable.
    let mut unreadable = start;
    let mut step = 1;
    let mut readable = loop {
        match probe(unreadable + step)? {
            ProbeOutcome::Unreadable => unreadable += step,
            ProbeOutcome::Readable => break unreadable + step,
        }
        step *= 2;
    };
    while readable - unreadable > 1 {
        let middle = unreadable + (readable - unreadable) / 2;
        match probe(middle)? {
            ProbeOutcome::Unreadable => unreadable = middle,
            ProbeOutcome::Readable => readable = middle,
        }
    }
    Some(readable)
}

enum ProbeOutcome {
    /// Reading from the offset returns a record, or the offset is at or after the end of the partition.
    Readable,
    Unreadable,
}

fn probe_offset(consumer: &BaseConsumer, topic: &str, partition: Partition, offset: Offset) -> Option<ProbeOutcome> {
    let (_, end) = consumer.fetch_watermarks(topic, partition, PROBE_TIMEOUT).ok()?;
    if offset >= end {
        return Some(ProbeOutcome::Readable);
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, KafkaOffset::Offset(offset)).ok()?;
    consumer.assign(&list).ok()?;
    let deadline = Instant::now() + PROBE_TIMEOUT;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) if message.offset() >= offset => return Some(ProbeOutcome::Readable),
            Some(Err(KafkaError::PartitionEOF(_))) => return Some(ProbeOutcome::Readable),
            Some(Err(error)) if is_unreadable_batch(&error) => return Some(ProbeOutcome::Unreadable),
            _ => {}
        }
    }
    None
}
