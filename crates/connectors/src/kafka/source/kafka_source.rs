//! The Kafka source: its constructors, and the operations that a worker calls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset as KafkaOffset, TopicPartitionList};
use tracing::{info, warn};
use windrow_engine::halt::SourceOperation;
use windrow_engine::{
    CommitWait, GroupDeparture, Halt, LogPosition, Offset, Partition, PartitionOffsets, PollOutcome, Source,
    SourceRecord, StartOffset, StartOffsets,
};
use windrow_spec::{KafkaSourceSpec, StartPosition};

use super::assignment_mode::{AssignmentMode, BoundedAssignment};
use super::end_check::EndCheck;
use super::leader_epoch::read_leader_epoch;
use super::offset_commit::{CommitOutcome, OffsetCommitter};
use super::record_consumer::RecordConsumer;
use crate::kafka::browse::KafkaLogHistory;
use crate::kafka::group::membership::GroupMembership;
use crate::kafka::group::monitor::UnassignedPartitionMonitor;
use crate::kafka::halts::build_refused_operation_halt;
use crate::kafka::topic::monitor::TopicMonitor;
use crate::kafka::topic::partition_bounds::{LostOffsetVerdict, judge_lost_offset};
use crate::kafka::unreadable_batch::is_unreadable_batch;
use crate::outage::OutageTracker;

/// The most records that one poll returns. The limit exists because the worker checks its clock only between polls.
const MAX_RECORDS_PER_POLL: usize = 1024;

/// The source from which one worker reads the records of its partitions.
pub struct KafkaSource {
    pub(super) record_consumer: RecordConsumer,
    pub(super) assignment_mode: AssignmentMode,
    offset_committer: OffsetCommitter,
    pub(super) settings: KafkaSourceSpec,
    pub(super) topic_monitor: Arc<TopicMonitor>,
    pub(super) outage_tracker: OutageTracker,
    /// The number of partitions of the topic that the worker knows.
    known_partition_count: Partition,
    /// Tells whether the topic still holds the records that were read.
    pub(super) log_history: KafkaLogHistory,
    /// Asks where partitions end; `None` until the first question.
    end_check: Option<EndCheck>,
    /// Whether the source must still find out in which partition Kafka no longer holds the next offset. Kafka reports
    /// such a lost offset without naming the partition.
    pub(super) lost_offset_unresolved: bool,
}

impl KafkaSource {
    /// Creates a source and begins to join the consumer group. A later poll returns the assigned partitions. A process
    /// that restarts with the same `static_member_name` within the session timeout keeps its partitions without a
    /// rebalance. `group_monitor` detects partitions that such a restart leaves unassigned.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn begin_group_join(
        settings: &KafkaSourceSpec,
        topic_monitor: Arc<TopicMonitor>,
        static_member_name: Option<&str>,
        group_monitor: Option<Arc<UnassignedPartitionMonitor>>,
    ) -> Result<Self, Halt> {
        let member = GroupMembership::begin_join(settings, static_member_name, group_monitor)?;
        Self::with_assignment_mode(settings, AssignmentMode::Group(member), topic_monitor)
    }

    /// Creates a source that reads the partitions in `ends`, each up to its end offset.
    ///
    /// # Errors
    /// When librdkafka refuses the settings.
    pub fn new_bounded(
        settings: &KafkaSourceSpec,
        topic_monitor: Arc<TopicMonitor>,
        ends: PartitionOffsets,
    ) -> Result<Self, Halt> {
        let assignment = AssignmentMode::Bounded(BoundedAssignment::new(ends));
        Self::with_assignment_mode(settings, assignment, topic_monitor)
    }

    fn with_assignment_mode(
        settings: &KafkaSourceSpec,
        assignment: AssignmentMode,
        topic_monitor: Arc<TopicMonitor>,
    ) -> Result<Self, Halt> {
        let known_partition_count = topic_monitor.expected_partition_count();
        Ok(Self {
            record_consumer: RecordConsumer::new(settings)?,
            assignment_mode: assignment,
            offset_committer: OffsetCommitter::default(),
            settings: settings.clone(),
            topic_monitor,
            outage_tracker: OutageTracker::default(),
            known_partition_count,
            log_history: KafkaLogHistory::new(settings),
            end_check: None,
            lost_offset_unresolved: false,
        })
    }

    /// Returns the next poll outcome other than records, such as a rebalance, if any. The worker must handle the
    /// outcome before it receives further records.
    fn next_non_record_outcome(&mut self) -> Result<Option<PollOutcome>, Halt> {
        let partition_count = self.topic_monitor.last_partition_count();
        if partition_count > self.known_partition_count {
            self.known_partition_count = partition_count;
            return Ok(Some(PollOutcome::PartitionsAdded { partition_count }));
        }
        if let Some(error) = self.assignment_mode.next_group_error()? {
            self.handle_consumer_error(&error)?;
        }
        Ok(self.assignment_mode.next_non_record_outcome())
    }

    /// Notes that the next record of `partition` has at least the offset `position`. The record consumer tracks these
    /// offsets, and a bounded job finishes the partition at its end offset.
    pub(super) fn note_next_offset(&mut self, partition: Partition, position: Offset) {
        self.note_next_position(partition, LogPosition { offset: position, leader_epoch: None });
    }

    fn note_next_position(&mut self, partition: Partition, position: LogPosition) {
        self.record_consumer.read_progress.note_progress(partition, position);
        self.assignment_mode.note_next_offset(partition, position.offset);
    }

    fn commit(&self, offsets: TopicPartitionList, wait: CommitWait) -> CommitOutcome {
        self.assignment_mode.commit_offsets(&self.offset_committer, &self.record_consumer, offsets, wait)
    }

    fn build_offset_list(&self, positions: &PartitionOffsets) -> Result<TopicPartitionList, Halt> {
        let mut list = TopicPartitionList::new();
        for (&partition, &position) in positions {
            list.add_partition_offset(&self.settings.topic, partition, KafkaOffset::Offset(position)).map_err(
                |error| build_refused_operation_halt(&self.settings.brokers, SourceOperation::Commit(position), error),
            )?;
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
        if let Some(announcement) = self.next_non_record_outcome()? {
            return Ok(announcement);
        }
        if self.lost_offset_unresolved
            && let Some(outcome) = self.resolve_lost_offsets()?
        {
            return Ok(outcome);
        }
        let mut wait = wait;
        for polls in 0..MAX_RECORDS_PER_POLL {
            match self.record_consumer.poll(wait) {
                None => {
                    self.record_consumer.note_empty_queue();
                    let idle = if polls == 0 { PollOutcome::Idle } else { PollOutcome::Records };
                    return Ok(self.next_non_record_outcome()?.unwrap_or(idle));
                }
                Some(Ok(message)) => {
                    if self.outage_tracker.record_success().is_some() {
                        info!(brokers = %self.settings.brokers, "Kafka is reachable again");
                        self.topic_monitor.reachability().mark_reachable();
                    }
                    let (partition, offset) = (message.partition(), message.offset());
                    let leader_epoch = read_leader_epoch(&message);
                    if self.assignment_mode.is_within_bounds(partition, offset) {
                        let (key, payload) = (message.key(), message.payload());
                        let timestamp_ms = message.timestamp().to_millis();
                        on_record(SourceRecord {
                            partition,
                            offset,
                            key,
                            payload,
                            timestamp_ms,
                            leader_epoch,
                            unreadable_reason: None,
                        })?;
                    }
                    drop(message);
                    self.note_next_position(partition, LogPosition { offset: offset + 1, leader_epoch });
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.assignment_mode.mark_end_reached(partition);
                }
                Some(Err(error)) if is_unreadable_batch(&error) => self.skip_unreadable_batches(on_record)?,
                Some(Err(error)) => self.handle_consumer_error(&error)?,
            }
            wait = Duration::ZERO;
        }
        Ok(self.next_non_record_outcome()?.unwrap_or(PollOutcome::Records))
    }

    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        positions: &PartitionOffsets,
    ) -> Result<StartOffsets, Halt> {
        if !partitions.is_empty() {
            self.topic_monitor.verify_topic_unchanged()?;
        }
        let held = self.topic_monitor.fetch_partition_bounds(partitions);
        let mut starts = StartOffsets::default();
        for &partition in partitions {
            let start = match (positions.get(&partition), held.get(&partition)) {
                (Some(&position), Some(&held)) if !held.contains_offset(position) => {
                    match judge_lost_offset(held, position, partition, &self.settings) {
                        LostOffsetVerdict::ContinueAt(offset) => Some(offset),
                        LostOffsetVerdict::GoBack => {
                            starts.truncated_partitions.insert(partition, held);
                            continue;
                        }
                        LostOffsetVerdict::Refuse(lost) => {
                            starts.lost_offsets.insert(partition, lost);
                            continue;
                        }
                    }
                }
                (Some(&position), _) => Some(position),
                // The start position "latest" becomes a fixed offset here. If a restarted job determined the latest
                // offset again, the job would skip the records that arrived before the restart.
                (None, Some(held)) => Some(match self.settings.start_position {
                    StartPosition::Earliest => held.first_offset,
                    StartPosition::Latest => held.end_offset,
                }),
                (None, None) => None,
            };
            let held_offsets = held.get(&partition).copied();
            let start = start.map(|offset| (partition, StartOffset { offset, held_offsets }));
            starts.start_by_partition.extend(start);
        }
        Ok(starts)
    }

    fn request_end_check(&mut self, partitions: &[Partition]) {
        if self.end_check.is_none() {
            self.end_check = EndCheck::start(Arc::clone(&self.topic_monitor));
        }
        if let Some(check) = &self.end_check {
            check.ask(partitions);
        }
    }

    fn take_end_check(&mut self) -> Option<Vec<Partition>> {
        let ends = self.end_check.as_ref()?.take_answer()?;
        Some(self.record_consumer.select_partitions_read_until(&ends))
    }

    fn leave_group(&mut self) -> GroupDeparture {
        self.assignment_mode.leave_group()
    }

    fn rejoin_group(&mut self) -> Result<(), Halt> {
        self.assignment_mode.rejoin_group()
    }

    fn accept_assignment(&mut self, _partitions: &[Partition]) -> Result<(), Halt> {
        Ok(()) // the thread of the group member has accepted it
    }

    fn note_start_positions(&mut self, positions: &BTreeMap<Partition, LogPosition>) {
        self.record_consumer.note_start_positions(positions);
    }

    fn start_partitions(&mut self, partitions: &[Partition], starts: &PartitionOffsets) -> Result<(), Halt> {
        info!(topic = %self.settings.topic, ?partitions, "started reading partitions");
        let brokers = &self.settings.brokers;
        let refused = |error: KafkaError| build_refused_operation_halt(brokers, SourceOperation::StartReading, error);
        let start_position = self.settings.start_position;
        self.record_consumer.restart_reading(partitions, starts, start_position).map_err(refused)?;
        starts.iter().for_each(|(&partition, &start)| self.assignment_mode.note_next_offset(partition, start));
        Ok(())
    }

    fn stop_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        let brokers = &self.settings.brokers;
        let refused = |error: KafkaError| build_refused_operation_halt(brokers, SourceOperation::StopReading, error);
        self.record_consumer.stop_reading(partitions).map_err(refused)?;
        self.assignment_mode.expect_partitions_again(partitions);
        Ok(())
    }

    fn release_partitions(&mut self, partitions: &[Partition]) -> Result<(), Halt> {
        info!(topic = %self.settings.topic, ?partitions, "releasing partitions");
        let brokers = &self.settings.brokers;
        let refused =
            |error: KafkaError| build_refused_operation_halt(brokers, SourceOperation::ReleasePartitions, error);
        self.record_consumer.stop_reading(partitions).map_err(refused)?;
        self.assignment_mode.acknowledge_revocation(partitions).map_err(refused)
    }

    fn confirm_ownership_by_commit(&mut self, positions: &PartitionOffsets) -> Result<bool, Halt> {
        let offsets = self.build_offset_list(positions)?;
        Ok(matches!(self.commit(offsets, CommitWait::AwaitAnswer), CommitOutcome::Committed))
    }

    fn commit_offsets(&mut self, positions: &PartitionOffsets, wait: CommitWait) -> Result<(), Halt> {
        let offsets = self.build_offset_list(positions)?;
        match self.commit(offsets, wait) {
            CommitOutcome::Committed => {}
            // The job continues, because a later commit covers these offsets. If the broker removed this member from
            // the group, the new owners of the partitions commit their own offsets.
            error => warn!(%error, "offsets were not committed"),
        }
        Ok(())
    }
}
