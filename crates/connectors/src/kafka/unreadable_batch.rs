//! Batches that librdkafka cannot unpack: corrupt ones, and small ones that unpack to more than it allows
//! (`receive.message.max.bytes`, 100 MB by default).
//!
//! librdkafka reports such a batch again and again, without its partition, and never reads past it. So the source finds
//! out which partition is held up (`source/read_progress.rs`). A consumer of its own searches the end of the batch, and the
//! worker gets one unreadable record in place of the batch.
//! Invariant: no readable record is skipped; the search ends at the first offset from which reading works.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use windrow_engine::{Offset, Partition};

use super::client::base_config;

/// How long one probe of an offset may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns whether `error` reports an unreadable batch.
pub(super) fn is_unreadable_batch(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::NotImplemented)
    )
}

/// Returns the first readable offset behind the unreadable record at `start`; `None` where that record is readable, or
/// Kafka does not answer.
pub(super) fn find_batch_end(brokers: &str, topic: &str, partition: Partition, start: Offset) -> Option<Offset> {
    let consumer: BaseConsumer = base_config(brokers)
        .set("group.id", "windrow-unreadable-batch")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("queued.min.messages", "1")
        .create()
        .ok()?;
    let probe = |offset| probe_offset(&consumer, topic, partition, offset);
    let ProbeOutcome::Unreadable = probe(start)? else { return None };
    // Double the step until an offset is readable, then halve the distance. All offsets up to `unreadable` are unreadable;
    // reading works from `readable` on.
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
    /// Reading from the offset returns a record, or the partition ends before it.
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
