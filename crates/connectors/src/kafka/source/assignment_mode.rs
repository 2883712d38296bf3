//! Which partitions a source reads: those that the consumer group assigns, or those that a bounded job began with.

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use windrow_engine::{CommitWait, Halt, Offset, Partition, PartitionOffsets, PollOutcome};

use super::bounded_partitions::BoundedPartitions;
use super::offset_commit::{CommitOutcome, commit_offsets};
use super::record_consumer::RecordConsumer;
use crate::kafka::client_context::FatalClientError;
use crate::kafka::group::membership::{GroupMembership, RebalanceEvent};

/// What decides which partitions are read.
pub(super) enum AssignmentMode {
    /// The consumer group.
    Group(GroupMembership),
    /// The offsets at which a bounded job ends.
    Fixed(FixedAssignment),
}

/// The partitions of a bounded job.
pub(super) struct FixedAssignment {
    bounds: BoundedPartitions,
    /// The worker got its partitions.
    announced: bool,
}

impl FixedAssignment {
    pub(super) fn new(ends: PartitionOffsets) -> Self {
        Self { bounds: BoundedPartitions::new(ends), announced: false }
    }

    fn next_announcement(&mut self) -> Option<PollOutcome> {
        if !self.announced {
            self.announced = true;
            return Some(PollOutcome::Assigned(self.bounds.partitions()));
        }
        if let Some(partition) = self.bounds.next_finished() {
            return Some(PollOutcome::PartitionFinished(partition));
        }
        self.bounds.is_exhausted().then_some(PollOutcome::InputExhausted)
    }
}

impl AssignmentMode {
    /// Polls the group's events, and returns an error of the group if there is one.
    ///
    /// # Errors
    /// When librdkafka refuses to join again.
    pub(super) fn poll_group(&self) -> Result<Option<KafkaError>, Halt> {
        match self {
            Self::Group(member) => {
                member.rejoin_if_requested()?;
                Ok(member.poll_error())
            }
            Self::Fixed(_) => Ok(None),
        }
    }

    /// Returns what the worker must handle before it gets further records.
    pub(super) fn next_announcement(&mut self) -> Option<PollOutcome> {
        match self {
            Self::Group(member) => member.next_rebalance().map(|event| match event {
                RebalanceEvent::Assigned(partitions) => PollOutcome::Assigned(partitions),
                RebalanceEvent::Revoked(partitions) => PollOutcome::Revoked(partitions),
                RebalanceEvent::Lost(partitions) => PollOutcome::Lost(partitions),
            }),
            Self::Fixed(fixed) => fixed.next_announcement(),
        }
    }

    /// Returns whether the record at `offset` belongs to the input.
    pub(super) fn is_within_bounds(&self, partition: Partition, offset: Offset) -> bool {
        match self {
            Self::Group(_) => true,
            Self::Fixed(fixed) => fixed.bounds.is_within_bounds(partition, offset),
        }
    }

    /// Notes that the next record of `partition` has offset `position` or a larger one.
    pub(super) fn set_position(&mut self, partition: Partition, position: Offset) {
        if let Self::Fixed(fixed) = self {
            fixed.bounds.set_position(partition, position);
        }
    }

    /// Notes that `partition` was read to its present end.
    pub(super) fn reach_end(&mut self, partition: Partition) {
        if let Self::Fixed(fixed) = self {
            fixed.bounds.finish_partition(partition);
        }
    }

    /// Confirms that the worker reads the partitions it was assigned, from `starts` on.
    pub(super) fn acknowledge_assignment(&mut self, starts: &PartitionOffsets) -> KafkaResult<()> {
        match self {
            Self::Group(member) => member.acknowledge_assignment(),
            Self::Fixed(fixed) => {
                starts.iter().for_each(|(&partition, &start)| fixed.bounds.set_position(partition, start));
                Ok(())
            }
        }
    }

    /// Confirms that the worker no longer reads the partitions that were revoked.
    pub(super) fn acknowledge_revocation(&mut self) -> KafkaResult<()> {
        match self {
            Self::Group(member) => member.acknowledge_revocation(),
            Self::Fixed(_) => Ok(()),
        }
    }

    /// Returns why librdkafka ended the membership for good, if it did.
    pub(super) fn fatal_error(&self) -> Option<FatalClientError> {
        match self {
            Self::Group(member) => member.fatal_error(),
            Self::Fixed(_) => None,
        }
    }

    /// Commits `offsets`: in the name of the member, or of the consumer of records where there is no member.
    pub(super) fn commit(
        &self,
        records: &RecordConsumer,
        offsets: TopicPartitionList,
        wait: CommitWait,
    ) -> CommitOutcome {
        match self {
            Self::Group(member) => commit_offsets(member.share_consumer(), offsets, wait),
            Self::Fixed(_) => commit_offsets(records.share_consumer(), offsets, wait),
        }
    }
}
