//! Handles errors, lost offsets and unreadable batches of a source.

use std::collections::BTreeMap;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::warn;
use windrow_engine::halt::SourceOperation;
use windrow_engine::{Halt, LogHistory, LogHistoryFault, Partition, PollOutcome, SourceRecord};
use windrow_spec::KafkaSourceSpec;

use super::kafka_source::KafkaSource;
use super::read_progress::StuckPartition;
use crate::kafka::fault::{self, KafkaFault};
use crate::kafka::halts::build_refused_operation_halt;
use crate::kafka::topic::partition_bounds::{LostOffsetVerdict, judge_lost_offset};
use crate::kafka::unreadable_batch::find_unreadable_batch_end;

impl KafkaSource {
    /// Counts one error about an unreadable batch. If the errors counted so far show which partition is blocked, skips
    /// the batch and passes one unreadable record to `on_record` in its place.
    pub(super) fn skip_unreadable_batches(
        &mut self,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        for StuckPartition { partition, next_offset: from } in
            self.record_consumer.read_progress.count_error_and_list_stuck_partitions()
        {
            let KafkaSourceSpec { brokers, topic, .. } = &self.settings;
            let Some(end) = find_unreadable_batch_end(brokers, topic, partition, from) else { continue };
            let reason = format!(
                "the records from offset {from} to {} cannot be decompressed: their batch is corrupt, or decompresses \
                 to more than the Kafka client allows (100 MB)",
                end - 1
            );
            on_record(SourceRecord {
                partition,
                offset: end - 1,
                key: None,
                payload: None,
                timestamp_ms: None,
                leader_epoch: None,
                unreadable_reason: Some(&reason),
            })?;
            self.record_consumer.restart_partition_at(partition, end).map_err(|error| {
                build_refused_operation_halt(brokers, SourceOperation::SkipUnreadableBatch(topic.clone()), error)
            })?;
            self.note_next_offset(partition, end);
        }
        Ok(())
    }

    /// Handles `error`, which a poll returned instead of a record. Returns a halt if the error is fatal. Otherwise
    /// notes a lost offset or an outage of Kafka, or begins to join the group again, and the job continues.
    pub(super) fn handle_consumer_error(&mut self, error: &KafkaError) -> Result<(), Halt> {
        let fatal = self.assignment_mode.fatal_error();
        match fault::classify_consumer_error(error, fatal, &self.settings) {
            KafkaFault::Fatal(halt) => Err(halt),
            KafkaFault::StaticNameRefused(code) => self.assignment_mode.rejoin_with_refused_name(code),
            KafkaFault::LostOffset => {
                self.lost_offset_unresolved = true;
                Ok(())
            }
            KafkaFault::Transient => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
                    self.topic_monitor.reachability().mark_unreachable("no broker answers");
                }
                if self.outage_tracker.record_failure(&error.to_string()).is_some() {
                    warn!(brokers = %self.settings.brokers, %error, "Kafka is unreachable or failing; reading continues when Kafka recovers");
                }
                Ok(())
            }
        }
    }

    /// Looks for the offsets that Kafka no longer holds, after an error that does not name the partitions. Restarts
    /// partitions whose next records were deleted, each at the first offset that Kafka holds. Stops reading partitions that
    /// now end before their next offset, and those whose loss the settings do not accept. Returns what the worker must
    /// know; `None` if no offset is lost, or Kafka did not answer.
    pub(super) fn resolve_lost_offsets(&mut self) -> Result<Option<PollOutcome>, Halt> {
        // If the topic was deleted and created again, all offsets are wrong, and this call halts the job.
        self.topic_monitor.verify_topic_unchanged()?;
        let positions = self.record_consumer.read_progress.next_positions();
        let partitions: Vec<Partition> = positions.keys().copied().collect();
        let held_offsets = self.topic_monitor.fetch_partition_bounds(&partitions);
        if held_offsets.is_empty() {
            return Ok(None); // Kafka did not answer; the next poll tries again
        }
        let brokers = self.settings.brokers.clone();
        let refused =
            |error: KafkaError| build_refused_operation_halt(&brokers, SourceOperation::ContinueReading, error);
        let (mut truncated, mut refused_losses, mut deleted) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for (&partition, &position) in &positions {
            let Some(&held) = held_offsets.get(&partition) else { continue };
            // A log that has grown again holds the offset, but not the records before it.
            match self.log_history.find_shared_offsets(partition, position) {
                Ok(Some(shared)) if position.offset > shared.end_offset => {
                    truncated.insert(partition, shared);
                    continue;
                }
                Ok(_) => {}
                Err(LogHistoryFault::NoAnswer(_)) => return Ok(None),
                Err(LogHistoryFault::Halted(Halt::LostOffset(lost))) => {
                    refused_losses.push(lost);
                    continue;
                }
                Err(LogHistoryFault::Halted(halt)) => return Err(halt),
            }
            if held.contains_offset(position.offset) {
                continue;
            }
            match judge_lost_offset(held, position.offset, partition, &self.settings) {
                LostOffsetVerdict::ContinueAt(start) => drop(deleted.insert(partition, start)),
                LostOffsetVerdict::GoBack => drop(truncated.insert(partition, held)),
                LostOffsetVerdict::Refuse(lost) => refused_losses.push(lost),
            }
        }
        if !truncated.is_empty() {
            let partitions: Vec<Partition> = truncated.keys().copied().collect();
            self.record_consumer.stop_reading(&partitions).map_err(refused)?;
            // The next poll looks for deleted records of the other partitions.
            return Ok(Some(PollOutcome::LogTruncated(truncated)));
        }
        self.lost_offset_unresolved = false;
        if !refused_losses.is_empty() {
            let partitions: Vec<Partition> = refused_losses.iter().map(|lost| lost.partition).collect();
            self.record_consumer.stop_reading(&partitions).map_err(refused)?;
            return Ok(Some(PollOutcome::OffsetsLost(refused_losses)));
        }
        for (&partition, &start) in &deleted {
            self.record_consumer.restart_partition_at(partition, start).map_err(refused)?;
            self.note_next_offset(partition, start);
        }
        if !deleted.is_empty() {
            return Ok(Some(PollOutcome::OffsetsSkipped(deleted.into_keys().collect())));
        }
        warn!(
            topic = self.settings.topic,
            "Kafka said that an offset is out of range, but each partition holds the offset at which reading continues. If \
             a partition without leader epochs has lost records and received others since, the state includes the lost ones"
        );
        // librdkafka stopped reading one partition without naming it, so the source restarts all partitions.
        for (&partition, &position) in &positions {
            self.record_consumer.restart_partition_at(partition, position.offset).map_err(refused)?;
        }
        Ok(None)
    }
}
