//! Reads the newest records of a topic, each partition from its end towards older records.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::message::Message;
use windrow_engine::StopSignal;

use super::error::BrowseError;
use super::records::consumer::{BrowseConsumer, ConsumerPurpose, OffsetRanges};

/// The number of offsets in the first piece of a partition. Each further piece has four times as many offsets.
const FIRST_PIECE_OFFSETS: i64 = 256;
/// The most offsets of a partition that are read.
const MAX_PARTITION_OFFSETS: i64 = 100_000;
const PIECE_TIMEOUT: Duration = Duration::from_secs(15);

/// Reads the newest records of partitions 0 to `partition_count` − 1 of `topic`, in pieces of consecutive offsets, from
/// the newest piece to older ones. Passes the partition and the payload of each record to `on_record`. A partition is
/// done after the first piece in which `on_record` has returned `Break`. It is also done when the partition has no older
/// record, and after 100,000 offsets. Transaction markers, aborted records and batches that cannot be decompressed are
/// skipped. Ends early if `stop` is requested.
///
/// # Errors
/// When Kafka does not answer, or does not allow reading the topic.
pub fn read_newest_records(
    brokers: &str,
    topic: &str,
    partition_count: i32,
    stop: &StopSignal,
    mut on_record: impl FnMut(i32, Option<&[u8]>) -> ControlFlow<()>,
) -> Result<(), BrowseError> {
    let consumer = BrowseConsumer::new(brokers, topic, ConsumerPurpose::Page)?;
    for partition in (0..partition_count).take_while(|_| !stop.is_requested()) {
        read_newest_of_partition(&consumer, partition, stop, |payload| on_record(partition, payload)).map_err(
            |error| match error {
                BrowseError::Unreachable(reason) => {
                    BrowseError::Unreachable(format!("topic {topic} on {brokers}, partition {partition}: {reason}"))
                }
                error => error,
            },
        )?;
    }
    Ok(())
}

fn read_newest_of_partition(
    consumer: &BrowseConsumer,
    partition: i32,
    stop: &StopSignal,
    mut on_record: impl FnMut(Option<&[u8]>) -> ControlFlow<()>,
) -> Result<(), BrowseError> {
    let kept = consumer.fetch_kept_offsets(partition)?;
    let oldest = kept.start.max(kept.end - MAX_PARTITION_OFFSETS);
    let (mut piece_end, mut piece_size) = (kept.end, FIRST_PIECE_OFFSETS);
    while piece_end > oldest && !stop.is_requested() {
        let piece = (piece_end - piece_size).max(oldest)..piece_end;
        let mut is_done = false;
        let pieces = OffsetRanges::from([(partition, piece.clone())]);
        let read = consumer.read_ranges(&pieces, Instant::now() + PIECE_TIMEOUT, |message| {
            is_done |= on_record(message.payload()).is_break();
        })?;
        if !read.unfinished_positions.is_empty() && read.problem_message.is_none() {
            return Err(BrowseError::Unreachable("Kafka did not deliver the newest records".to_owned()));
        }
        if is_done {
            return Ok(());
        }
        (piece_end, piece_size) = (piece.start, piece_size * 4);
    }
    Ok(())
}
