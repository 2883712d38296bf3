//! What the source does about errors, lost offsets and unreadable batches.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::warn;
use windrow_engine::halt::SourceOperation;
use windrow_engine::{Halt, Partition, SourceRecord};
use windrow_spec::KafkaSourceSpec;

use super::kafka_source::KafkaSource;
use super::read_progress::StuckPartition;
use crate::kafka::fault::{self, KafkaFault};
use crate::kafka::halts::refuse_operation;
use crate::kafka::unreadable_batch::find_batch_end;

impl KafkaSource {
    /// Skips an unreadable batch, once it is known which partition it holds up.
    pub(super) fn skip_unreadable_batches(
        &mut self,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        for StuckPartition { partition, offset: from } in self.consumer.progress.count_report() {
            let KafkaSourceSpec { brokers, topic, .. } = &self.settings;
            let Some(end) = find_batch_end(brokers, topic, partition, from) else { continue };
            let reason = format!(
                "the records from offset {from} to {} cannot be unpacked: their batch is damaged, or unpacks to more than \
                 the Kafka client allows (100 MB)",
                end - 1
            );
            on_record(SourceRecord {
                partition,
                offset: end - 1,
                key: None,
                payload: None,
                timestamp_ms: None,
                unreadable_reason: Some(&reason),
            })?;
            self.consumer.restart_at(partition, end).map_err(|error| {
                refuse_operation(brokers, SourceOperation::SkipUnreadableBatch(topic.clone()), error)
            })?;
            self.set_position(partition, end);
        }
        Ok(())
    }

    /// Handles an error that came instead of a record.
    pub(super) fn handle_error(&mut self, error: &KafkaError) -> Result<(), Halt> {
        let fatal = self.assignment.fatal_error();
        match fault::classify_error(error, fatal, &self.settings, self.instance.as_deref()) {
            KafkaFault::Fatal(halt) => Err(halt),
            KafkaFault::LostOffset => {
                self.offset_lost = true;
                Ok(())
            }
            KafkaFault::Transient => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
                    self.topic_monitor.reachability().mark_unreachable("no broker answers");
                }
                if self.outage.record_failure(&error.to_string()).is_some() {
                    warn!(brokers = %self.settings.brokers, %error, "Kafka is unreachable or failing; reading continues when it recovers");
                }
                Ok(())
            }
        }
    }

    /// Finds the partitions whose position Kafka no longer holds, since its error does not name them, and continues them
    /// at another offset. librdkafka has stopped reading them. Returns these partitions.
    pub(super) fn resolve_lost_offset(&mut self) -> Result<Vec<Partition>, Halt> {
        // In a topic that was created again every offset is wrong, which is another fault.
        self.topic_monitor.check()?;
        let positions = self.consumer.progress.positions();
        let partitions: Vec<Partition> = positions.keys().copied().collect();
        let held = self.consumer.fetch_bounds(&partitions);
        if held.is_empty() {
            return Ok(Vec::new()); // the next poll asks again
        }
        self.offset_lost = false;
        let brokers = self.settings.brokers.clone();
        let refused = |error: KafkaError| refuse_operation(&brokers, SourceOperation::ContinueReading, error);
        let mut skipped = Vec::new();
        for (&partition, &position) in &positions {
            let Some(bounds) = held.get(&partition).filter(|bounds| !bounds.contains(position)) else { continue };
            let start = bounds.replacement_offset(position, partition, &self.settings)?;
            self.consumer.restart_at(partition, start).map_err(refused)?;
            self.set_position(partition, start);
            skipped.push(partition);
        }
        if skipped.is_empty() {
            // The error was transient, but a partition of these has stopped.
            for (&partition, &position) in &positions {
                self.consumer.restart_at(partition, position).map_err(refused)?;
            }
        }
        Ok(skipped)
    }
}
