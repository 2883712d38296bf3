//! Batches that librdkafka cannot unpack: corrupt, or small ones that unpack to more than it allows
//! (`receive.message.max.bytes`, 100 MB by default).
//!
//! It reports such a batch again and again, without saying in which partition, and never gets past it. So: a partition
//! that stays where it is through several such reports although it has more to read is taken to be the one, the end of
//! its batch is searched with a consumer of its own, and the worker gets one unreadable record in place of the batch.
//! Invariant: nothing that can be read is skipped; the search ends at the first offset from which reading works.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use windrow_engine::{Offset, Partition, PartitionOffsets};

use super::client;

/// Reports without progress before a partition is looked at. They come about twice a second.
const REPORTS_MIN: u32 = 3;
/// How long one look at an offset may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Where reading stands, and how often an unreadable batch was reported since it last moved on.
#[derive(Debug, Default)]
pub(super) struct ReadProgress {
    next: BTreeMap<Partition, (Offset, u32)>,
}

impl ReadProgress {
    /// Reading of `partition` goes on at `offset`.
    pub(super) fn set_position(&mut self, partition: Partition, offset: Offset) {
        self.next.insert(partition, (offset, 0));
    }

    /// `partition` is no longer ours.
    pub(super) fn remove(&mut self, partition: Partition) {
        self.next.remove(&partition);
    }

    /// Where reading stands, for every partition of which that is known.
    pub(super) fn positions(&self) -> PartitionOffsets {
        self.next.iter().map(|(&partition, &(offset, _))| (partition, offset)).collect()
    }

    /// An unreadable batch was reported, in whichever partition: those that have stood still for long enough.
    pub(super) fn count_report(&mut self) -> Vec<(Partition, Offset)> {
        let mut suspects = Vec::new();
        for (&partition, (offset, reports)) in &mut self.next {
            *reports += 1;
            if *reports >= REPORTS_MIN {
                suspects.push((partition, *offset));
            }
        }
        suspects
    }
}

/// Whether this error is a report of an unreadable batch.
pub(super) fn is_unreadable_batch(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::NotImplemented)
    )
}

/// Where reading works again, for a partition whose record at `from` cannot be read; `None` where it can be read, or
/// Kafka does not answer.
pub(super) fn find_batch_end(brokers: &str, topic: &str, partition: Partition, from: Offset) -> Option<Offset> {
    let consumer: BaseConsumer = client::base_config(brokers)
        .set("group.id", "windrow-unreadable-batch")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("queued.min.messages", "1")
        .create()
        .ok()?;
    let look = |offset| probe_offset(&consumer, topic, partition, offset);
    let ProbeOutcome::Unreadable = look(from)? else { return None };
    // Gallop until an offset can be read, then halve the distance. Below `unreadable` nothing can be read; from
    // `readable` on, something can.
    let mut unreadable = from;
    let mut step = 1;
    let mut readable = loop {
        match look(unreadable + step)? {
            ProbeOutcome::Unreadable => unreadable += step,
            ProbeOutcome::Readable => break unreadable + step,
        }
        step *= 2;
    };
    while readable - unreadable > 1 {
        let middle = unreadable + (readable - unreadable) / 2;
        match look(middle)? {
            ProbeOutcome::Unreadable => unreadable = middle,
            ProbeOutcome::Readable => readable = middle,
        }
    }
    Some(readable)
}

enum ProbeOutcome {
    /// Reading from there gives a record, or the partition ends before it.
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
    let until = Instant::now() + PROBE_TIMEOUT;
    while Instant::now() < until {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) if message.offset() >= offset => return Some(ProbeOutcome::Readable),
            Some(Err(KafkaError::PartitionEOF(_))) => return Some(ProbeOutcome::Readable),
            Some(Err(error)) if is_unreadable_batch(&error) => return Some(ProbeOutcome::Unreadable),
            _ => {}
        }
    }
    None
}
