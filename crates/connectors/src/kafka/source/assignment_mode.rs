//! How a source gets its partitions: the consumer group assigns the partitions, or a bounded job fixes them at its
//! start.

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use windrow_engine::{CommitWait, GroupDeparture, Halt, Offset, Partition, PartitionOffsets, PollOutcome};

use super::bounded_partitions::BoundedPartitions;
use super::offset_commit::{CommitOutcome, OffsetCommitter};
use super::record_consumer::RecordConsumer;
use crate::kafka::client_context::FatalClientError;
use crate::kafka::group::membership::GroupMembership;
use crate::kafka::group::rebalance_events::RebalanceEvent;

/// The way in which a source gets the partitions that it reads.
pub(super) enum AssignmentMode {
    /// The consumer group assigns the partitions.
    Group(GroupMembership),
    /// The partitions of a bounded job are fixed at its start.
    Bounded(BoundedAssignment),
}

/// The partitions that one worker of a bounded job reads.
pub(super) struct BoundedAssignment {
    bounded_partitions: BoundedPartitions,
    /// Whether a poll has returned the partitions to the worker.
    assignment_announced: bool,
}

impl BoundedAssignment {
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
    /// Joins the group again if it is due. Returns the next error of the group member, if any. Does nothing for a bounded job,
    /// which has no group member.
    ///
    /// # Errors
    /// When librdkafka refuses to join the group again.
    pub(super) fn next_group_error(&mut self) -> Result<Option<KafkaError>, Halt> {
        match self {
            Self::Group(member) => {
                member.begin_due_rejoin()?;
                Ok(member.pop_error())
            }
            Self::Bounded(_) => Ok(None),
        }
    }

    /// Returns the next poll outcome other than records, such as a rebalance, if any. The worker must handle the
    /// outcome before it receives further records.
    pub(super) fn next_non_record_outcome(&mut self) -> Option<PollOutcome> {
        match self {
            Self::Group(member) => member.pop_rebalance_event().map(|event| match event {
                RebalanceEvent::Assigned(partitions) => PollOutcome::Assigned(partitions),
                RebalanceEvent::Revoked(partitions) => PollOutcome::Revoked(partitions),
                RebalanceEvent::Lost(partitions) => PollOutcome::Lost(partitions),
            }),
            Self::Bounded(assignment) => assignment.next_non_record_outcome(),
        }
    }

    /// Returns whether the record of `partition` at `offset` belongs to the input of the job. The input of a bounded
    /// job ends at its end offsets; any other input has no end.
    pub(super) fn is_within_bounds(&self, partition: Partition, offset: Offset) -> bool {
        match self {
            Self::Group(_) => true,
            Self::Bounded(assignment) => assignment.bounded_partitions.is_within_bounds(partition, offset),
        }
    }

    /// Notes that the next record of `partition` has at least the offset `position`. A bounded job finishes the
    /// partition if `position` has reached the job's end offset.
    pub(super) fn note_next_offset(&mut self, partition: Partition, position: Offset) {
        if let Self::Bounded(assignment) = self {
            assignment.bounded_partitions.note_next_offset(partition, position);
        }
    }

    /// Notes that the worker has read `partition` to its current end. A bounded job has then finished the partition.
    pub(super) fn mark_end_reached(&mut self, partition: Partition) {
        if let Self::Bounded(assignment) = self {
            assignment.bounded_partitions.mark_partition_finished(partition);
        }
    }

    /// Begins to leave the group. A bounded job has no group.
    pub(super) fn leave_group(&mut self) -> GroupDeparture {
        match self {
            Self::Group(member) => member.leave_until_rejoin(),
            Self::Bounded(_) => GroupDeparture::Stayed,
        }
    }

    /// Begins to join the group again after [`Self::leave_group`].
    pub(super) fn rejoin_group(&mut self) -> Result<(), Halt> {
        match self {
            Self::Group(member) => member.rejoin(),
            Self::Bounded(_) => Ok(()),
        }
    }

    /// Begins to join the group again after Kafka has refused the member's static name with `code`.
    ///
    /// # Errors
    /// When another process uses the name.
    pub(super) fn rejoin_with_refused_name(&mut self, code: RDKafkaErrorCode) -> Result<(), Halt> {
        match self {
            Self::Group(member) => member.rejoin_with_refused_name(code),
            Self::Bounded(_) => Ok(()),
        }
    }

    /// Notes that the worker will read `partitions` again. A bounded job has then not finished them.
    pub(super) fn expect_partitions_again(&mut self, partitions: &[Partition]) {
        if let Self::Bounded(assignment) = self {
            assignment.bounded_partitions.take_back_partitions(partitions);
        }
    }

    /// Confirms to the group that the worker no longer reads the revoked `partitions`.
    pub(super) fn acknowledge_revocation(&mut self, partitions: &[Partition]) -> KafkaResult<()> {
        match self {
            Self::Group(member) => member.acknowledge_revocation(partitions),
            Self::Bounded(_) => Ok(()),
        }
    }

    /// Returns the fatal error with which librdkafka ended the membership, if any.
    pub(super) fn fatal_error(&self) -> Option<FatalClientError> {
        match self {
            Self::Group(member) => member.fatal_error(),
            Self::Bounded(_) => None,
        }
    }

    /// Commits `offsets` through the consumer that is a member of the group. A bounded job has no such consumer, so it
    /// commits through `records`, the consumer that reads its records.
    pub(super) fn commit_offsets(
        &self,
        committer: &OffsetCommitter,
        records: &RecordConsumer,
        offsets: TopicPartitionList,
        wait: CommitWait,
    ) -> CommitOutcome {
        match self {
            Self::Group(member) => match member.clone_consumer_handle() {
                Some(consumer) => committer.commit(consumer, offsets, wait),
                // Kafka would answer the same.
                None => CommitOutcome::Failed(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownMemberId)),
            },
            Self::Bounded(_) => committer.commit(records.clone_consumer_handle(), offsets, wait),
        }
    }
}
