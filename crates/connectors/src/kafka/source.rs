//! Records from a Kafka topic.
//!
//! Partitions are assigned by the consumer group (a live job), or fixed at the start (a bounded job). In both cases one
//! consumer reads the records (`source/record_consumer.rs`), and only the worker decides at which offsets it starts.
//! Invariants: (1) records of a partition come in offset order, each once per assignment; (2) an offset that Kafka no
//! longer has is never skipped silently; (3) while a rebalance waits for its acknowledgement, the worker's other
//! partitions continue.

mod assignment_mode;
mod bounded_partitions;
mod offset_commit;
mod read_progress;
mod record_consumer;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::{info, warn};
use windrow_engine::halt::SourceOperation;
use windrow_engine::{CommitWait, Halt, Offset, Partition, PartitionOffsets, PollOutcome, Source, SourceRecord};
use windrow_spec::{KafkaSourceSpec as Settings, StartPosition};

use self::assignment_mode::{AssignmentMode, FixedAssignment};
use self::offset_commit::CommitOutcome;
use self::read_progress::StuckPartition;
use self::record_consumer::RecordConsumer;
use super::fault::{self, KafkaFault};
use super::group::membership::GroupMembership;
use super::group::monitor::GroupMonitor;
use super::halts::refuse_operation;
use super::topic::monitor::TopicMonitor;
use super::unreadable_batch::{find_batch_end, is_unreadable_batch};
use crate::outage::OutageTracker;

/// The most records of one poll, so that the worker checks its clock in between.
const RECORDS_PER_POLL: usize = 1024;

/// A worker's source of records.
pub struct KafkaSource {
    consumer: RecordConsumer,
    assignment: AssignmentMode,
    settings: Settings,
    instance: Option<String>,
    topic_monitor: Arc<TopicMonitor>,
    outage: OutageTracker,
    /// Kafka reported a lost offset, and has not yet reported the bounds of its partitions.
    offset_lost: bool,
}

impl KafkaSource {
    /// Joins the consumer group, which decides the partitions. A process that restarts with the same `instance` within the
    /// session timeout gets the same partitions without a rebalance; `group` detects partitions that this leaves unassigned.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn join_group(
        settings: &Settings,
        topic_monitor: Arc<TopicMonitor>,
        instance: Option<&str>,
        group: Option<Arc<GroupMonitor>>,
    ) -> Result<Self, Halt> {
        let member = GroupMembership::join(settings, instance, group)?;
        Self::with_mode(settings, AssignmentMode::Group(member), instance, topic_monitor)
    }

    /// Reads the partitions in `ends`, each up to its offset there.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn read_bounded(
        settings: &Settings,
        topic_monitor: Arc<TopicMonitor>,
        ends: PartitionOffsets,
    ) -> Result<Self, Halt> {
        let assignment = AssignmentMode::Fixed(FixedAssignment::new(ends));
        Self::with_mode(settings, assignment, None, topic_monitor)
    }

    fn with_mode(
        settings: &Settings,
        assignment: AssignmentMode,
        instance: Option<&str>,
        topic_monitor: Arc<TopicMonitor>,
    ) -> Result<Self, Halt> {
        Ok(Self {
            consumer: RecordConsumer::new(settings)?,
            assignment,
            settings: settings.clone(),
            instance: instance.map(str::to_owned),
            topic_monitor,
            outage: OutageTracker::default(),
            offset_lost: false,
        })
    }

    /// Returns what the worker must handle before it gets further records.
    fn next_announcement(&mut self) -> Result<Option<PollOutcome>, Halt> {
        if let Some(error) = self.assignment.poll_group()? {
            self.handle_error(&error)?;
        }
        Ok(self.assignment.next_announcement())
    }

    /// Notes that the next record of `partition` has offset `position` or a larger one.
    fn set_position(&mut self, partition: Partition, position: Offset) {
        self.consumer.progress.set_position(partition, position);
        self.assignment.set_position(partition, position);
    }

    /// Skips an unreadable batch, once it is known which partition it holds up.
    fn skip_unreadable_batches(
        &mut self,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        for StuckPartition { partition, offset: from } in self.consumer.progress.count_report() {
            let Settings { brokers, topic, .. } = &self.settings;
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
    fn handle_error(&mut self, error: &KafkaError) -> Result<(), Halt> {
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
    fn resolve_lost_offset(&mut self) -> Result<Vec<Partition>, Halt> {
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
        let outside = |(partition, position): (&Partition, &Offset)| {
            let held = held.get(partition)?;
            (!held.contains(*position)).then_some((*partition, *position, *held))
        };
        let lost: Vec<_> = positions.iter().filter_map(outside).collect();
        for &(partition, position, held) in &lost {
            let start = held.replacement_offset(position, partition, &self.settings)?;
            self.consumer.restart_at(partition, start).map_err(refused)?;
            self.set_position(partition, start);
        }
        if lost.is_empty() {
            // The error was transient, but a partition of these has stopped.
            for (&partition, &position) in &positions {
                self.consumer.restart_at(partition, position).map_err(refused)?;
            }
        }
        Ok(lost.into_iter().map(|(partition, ..)| partition).collect())
    }

    fn offset_list(&self, positions: &PartitionOffsets) -> Result<TopicPartitionList, Halt> {
        let mut list = TopicPartitionList::new();
        for (&partition, &position) in positions {
            list.add_partition_offset(&self.settings.topic, partition, KafkaOffset::Offset(position))
                .map_err(|error| refuse_operation(&self.settings.brokers, SourceOperation::Commit(position), error))?;
        }
        Ok(list)
    }
}

impl Source for KafkaSource {
    fn poll(
        &mut self,
        wait: Duration,
        on_record: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        if let Some(announcement) = self.next_announcement()? {
            return Ok(announcement);
        }
        if self.offset_lost {
            let skipped = self.resolve_lost_offset()?;
            if !skipped.is_empty() {
                return Ok(PollOutcome::OffsetsSkipped(skipped));
            }
        }
        let mut wait = wait;
        for polls in 0..RECORDS_PER_POLL {
            match self.consumer.poll(wait) {
                None => {
                    let idle = if polls == 0 { PollOutcome::Idle } else { PollOutcome::Records };
                    return Ok(self.next_announcement()?.unwrap_or(idle));
                }
                Some(Ok(message)) => {
                    if self.outage.record_success().is_some() {
                        info!(brokers = %self.settings.brokers, "Kafka is reachable again");
                        self.topic_monitor.reachability().mark_reachable();
                    }
                    let (partition, offset) = (message.partition(), message.offset());
                    if self.assignment.is_within_bounds(partition, offset) {
                        let (key, payload) = (message.key(), message.payload());
                        let timestamp_ms = message.timestamp().to_millis();
                        on_record(SourceRecord {
                            partition,
                            offset,
                            key,
                            payload,
                            timestamp_ms,
                            unreadable_reason: None,
                        })?;
                    }
                    drop(message);
                    self.set_position(partition, offset + 1);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.assignment.reach_end(partition);
                }
                Some(Err(error)) if is_unreadable_batch(&error) => self.skip_unreadable_batches(on_record)?,
                Some(Err(error)) => self.handle_error(&error)?,
            }
            wait = Duration::ZERO;
        }
        Ok(self.next_announcement()?.unwrap_or(PollOutcome::Records))
    }

    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        positions: &PartitionOffsets,
    ) -> Result<PartitionOffsets, Halt> {
        if !partitions.is_empty() {
            self.topic_monitor.check()?;
        }
        let held = self.consumer.fetch_bounds(partitions);
        let mut starts = PartitionOffsets::new();
        for &partition in partitions {
            let start = match (positions.get(&partition), held.get(&partition)) {
                (Some(&position), Some(held)) if !held.contains(position) => {
                    Some(held.replacement_offset(position, partition, &self.settings)?)
                }
                (Some(&position), _) => Some(position),
                // "Latest" is resolved once: resolved again after a restart, it would skip the records in between.
                (None, Some(held)) => Some(match self.settings.start {
                    StartPosition::Earliest => held.first,
                    StartPosition::Latest => held.end,
                }),
                (None, None) => None,
            };
            starts.extend(start.map(|start| (partition, start)));
        }
        Ok(starts)
    }

    fn start_partitions(&mut self, partitions: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt> {
        if !partitions.is_empty() {
            info!(topic = %self.settings.topic, ?partitions, "started reading partitions");
        }
        let brokers = &self.settings.brokers;
        let refused = |error: KafkaError| refuse_operation(brokers, SourceOperation::StartReading, error);
        self.consumer.start_reading(partitions, starts, self.settings.start).map_err(refused)?;
        self.assignment.acknowledge_assignment(starts).map_err(refused)
    }

    fn seek_partitions(&mut self, positions: &PartitionOffsets) -> Result<(), Halt> {
        for (&partition, &position) in positions {
            self.consumer
                .restart_at(partition, position)
                .map_err(|error| refuse_operation(&self.settings.brokers, SourceOperation::Seek(position), error))?;
            self.set_position(partition, position);
        }
        Ok(())
    }

    fn pause_partitions(&mut self, partitions: &[Partition]) {
        if let Err(error) = self.consumer.pause_reading(partitions) {
            warn!(?partitions, %error, "cannot pause partitions; their records are still delivered");
        }
    }

    fn resume_partitions(&mut self, partitions: &[Partition]) {
        if let Err(error) = self.consumer.resume_reading(partitions) {
            warn!(?partitions, %error, "cannot resume paused partitions");
        }
    }

    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        info!(topic = %self.settings.topic, ?partitions, "releasing partitions");
        let brokers = &self.settings.brokers;
        let refused = |error: KafkaError| refuse_operation(brokers, SourceOperation::ReleasePartitions, error);
        self.consumer.stop_reading(partitions).map_err(refused)?;
        self.assignment.acknowledge_revocation().map_err(refused)
    }

    fn confirm_ownership(&mut self, positions: &PartitionOffsets) -> Result<bool, Halt> {
        let offsets = self.offset_list(positions)?;
        Ok(matches!(self.assignment.commit(&self.consumer, offsets, CommitWait::AwaitAnswer), CommitOutcome::Committed))
    }

    fn commit_offsets(&mut self, positions: &PartitionOffsets, wait: CommitWait) -> Result<(), Halt> {
        let offsets = self.offset_list(positions)?;
        match self.assignment.commit(&self.consumer, offsets, wait) {
            CommitOutcome::Committed => {}
            // Also from a member that the group removed: the partition's present owner commits for it.
            error => warn!(%error, "offsets were not committed"),
        }
        Ok(())
    }
}
