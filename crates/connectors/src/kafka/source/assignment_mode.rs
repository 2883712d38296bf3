//! Determines which partitions a source reads: the consumer group assigns them, or a bounded job fixes them at its
//! start.

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use windrow_engine::{CommitWait, Halt, Offset, Partition, PartitionOffsets, PollOutcome};

use super::bounded_partitions::BoundedPartitions;
use super::offset_commit::{CommitOutcome, commit_offsets};
use super::record_consumer::RecordConsumer;
use crate::kafka::client_context::FatalClientError;
use crate::kafka::group::membership::{GroupMembership, RebalanceEvent};

/// How the partitions that a source reads are determined.
pub(super) enum AssignmentMode {
    /// The consumer group assigns the partitions.
    Group(GroupMembership),
    /// The partitions of a bounded job are fixed at its start.
    Fixed(FixedAssignment),
}

/// The partitions of a bounded job.
pub(super) struct FixedAssignment {
    bounded_partitions: BoundedPartitions,
    /// Whether the worker has received its partitions.
    assignment_announced: bool,
}

impl FixedAssignment {
    pub(super) fn new(ends: PartitionOffsets) -> Self {
        Self { bounded_partitions: BoundedPartitions::new(ends), assignment_announced: false }
    }

    fn next_non_record_outcome(&mut self) -> Option<PollOutcome> {
        if !self.assignment_announced {
            self.assignment_announced = true;
            return Some(PollOutcome::Assigned(self.bounded_partitions.unfinished_partitions()));
        }
        if let Some(partition) = self.bounded_partitions.pop_finished_partition() {
            return Some(PollOutcome::PartitionFinished(partition));
        }
        self.bounded_partitions.all_finished_and_reported().then_some(PollOutcome::InputExhausted)
    }
}

impl AssignmentMode {
    /// Begins a requested rejoin, then polls the group's events. Returns the error that the poll reports, if any.
    ///
    /// # Errors
    /// When librdkafka refuses to join the group again.
    pub(super) fn poll_group_for_error(&self) -> Result<Option<KafkaError>, Halt> {
        match self {
            Self::Group(member) => {
                member.begin_rejoin_if_requested()?;
                Ok(member.poll_group_for_error())
            }
            Self::Fixed(_) => Ok(None),
        }
    }

    /// Returns the next change that the worker must handle before it receives further records.
    pub(super) fn next_non_record_outcome(&mut self) -> Option<PollOutcome> {
        match self {
            Self::Group(member) => member.pop_rebalance_event().map(|event| match event {
                RebalanceEvent::Assigned(partitions) => PollOutcome::Assigned(partitions),
                RebalanceEvent::Revoked(partitions) => PollOutcome::Revoked(partitions),
                RebalanceEvent::Lost(partitions) => PollOutcome::Lost(partitions),
            }),
            Self::Fixed(fixed) => fixed.next_non_record_outcome(),
        }
    }

    /// Returns whether the record at `offset` belongs to the input of the job.
    pub(super) fn is_within_bounds(&self, partition: Partition, offset: Offset) -> bool {
        match self {
            Self::Group(_) => true,
            Self::Fixed(fixed) => fixed.bounded_partitions.is_within_bounds(partition, offset),
        }
    }

    /// Notes that the next record of `partition` has offset `position` or a larger one.
    pub(super) fn note_next_offset(&mut self, partition: Partition, position: Offset) {
        if let Self::Fixed(fixed) = self {
            fixed.bounded_partitions.note_next_offset(partition, position);
        }
    }

    /// Notes that `partition` was read to its current end.
    pub(super) fn mark_end_reached(&mut self, partition: Partition) {
        if let Self::Fixed(fixed) = self {
            fixed.bounded_partitions.mark_partition_finished(partition);
        }
    }

    /// Confirms that the worker reads its assigned partitions from the offsets `starts`.
    pub(super) fn acknowledge_assignment(&mut self, starts: &PartitionOffsets) -> KafkaResult<()> {
        match self {
            Self::Group(member) => member.acknowledge_assignment(),
            Self::Fixed(fixed) => {
                starts
                    .iter()
                    .for_each(|(&partition, &start)| fixed.bounded_partitions.note_next_offset(partition, start));
                Ok(())
            }
        }
    }

    /// Confirms that the worker no longer reads the revoked partitions.
    pub(super) fn acknowledge_revocation(&mut self) -> KafkaResult<()> {
        match self {
            Self::Group(member) => member.acknowledge_revocation(),
            Self::Fixed(_) => Ok(()),
        }
    }

    /// Returns the fatal error with which librdkafka ended the membership, if any.
    pub(super) fn fatal_error(&self) -> Option<FatalClientError> {
        match self {
            Self::Group(member) => member.fatal_error(),
            Self::Fixed(_) => None,
        }
    }

    /// Commits `offsets` through the group member. A bounded job has no member and commits through the consumer of
    /// records.
    pub(super) fn commit_offsets(
        &self,
        records: &RecordConsumer,
        offsets: TopicPartitionList,
        wait: CommitWait,
    ) -> CommitOutcome {
        match self {
            Self::Group(member) => commit_offsets(member.clone_consumer_handle(), offsets, wait),
            Self::Fixed(_) => commit_offsets(records.clone_consumer_handle(), offsets, wait),
        }
    }
}
