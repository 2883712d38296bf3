//! The reasons why a job halts: faults that no retry resolves.
//!
//! Owns: the reasons, as data. Each variant of [`Halt`] is a kind of reason with its own exit code. The type in a
//! variant holds the details, such as the topic and the offset.
//! Does not own: exit codes and advice for operators (the binary `windrow`), errors of connectors (a halt holds such an
//! error as its source).
//! Invariants: (1) The text of a halt names no command-line flag and no setting. (2) The text of a halt does not repeat
//! the text of the halt's source.

mod error_chain;
mod input_fault;
mod output_fault;
mod service_fault;
mod state_fault;

use crate::StoreFault;

pub use error_chain::{ErrorChain, SharedError, share_error};
pub use input_fault::{AddedPartitions, CheckpointPlace, InputFault, LostOffset, MisplacedInputRecord, RecreatedTopic};
pub use output_fault::OutputFault;
pub use service_fault::{NoAnswerReason, ServiceAddress, ServiceRefusal, SourceOperation, UnreachableService};
pub use state_fault::{
    ChangedViews, CheckpointStoreFault, ContestedPartition, DamagedCheckpoint, DamagedState, DroppedFeature,
    DroppedView, ForeignState, NewerState, PipelineAndTopic, ViewChange,
};

/// The part of a job that a fault concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultScope {
    /// The fault concerns one partition. The other partitions can continue.
    OnePartition,
    /// The fault concerns one partition, or the whole checkpoint store. The fault does not show which, but the other
    /// partitions do.
    PartitionOrStore,
    /// The fault concerns all partitions, or no partition.
    WholeJob,
}

/// A fault that no retry resolves, so the job stops. Rows and checkpoints that are already written are not deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Halt {
    /// The input is missing, or cannot be read or processed.
    #[error(transparent)]
    Input(#[from] InputFault),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputFault),
    /// A service did not answer within the time limit, or did not answer before a stop was requested.
    #[error(transparent)]
    Unreachable(#[from] UnreachableService),
    /// A service refused an operation.
    #[error(transparent)]
    Refused(#[from] ServiceRefusal),
    /// The source no longer holds the record at which the job must continue.
    #[error(transparent)]
    LostOffset(#[from] LostOffset),
    /// The topic was deleted and created again, so the offsets in the checkpoints now identify other records.
    #[error(transparent)]
    TopicRecreated(#[from] RecreatedTopic),
    /// Partitions were added to the topic, so some record keys now belong to other partitions.
    #[error(transparent)]
    PartitionsAdded(#[from] AddedPartitions),
    /// The state belongs to another pipeline or topic, or does not exist.
    #[error(transparent)]
    ForeignState(#[from] ForeignState),
    /// Feature views have changed, and the job would drop their stored state.
    #[error(transparent)]
    ChangedViews(#[from] ChangedViews),
    /// The state was written by a newer version of Windrow and cannot be read.
    #[error(transparent)]
    NewerState(#[from] NewerState),
    /// The state of a partition is damaged, or the checkpoint of the partition is missing.
    #[error(transparent)]
    DamagedState(#[from] DamagedState),
    /// The checkpoint store refused an operation, or checkpoints or a savepoint failed for another reason.
    #[error(transparent)]
    CheckpointStore(#[from] CheckpointStoreFault),
    /// A process outside the job's consumer group claims a partition again and again.
    #[error(transparent)]
    PartitionContested(#[from] ContestedPartition),
}

impl Halt {
    /// Returns which part of the job the fault concerns. A pipeline can demand that the job continues without a
    /// partition that has a fault of its own.
    ///
    /// Records without keys and misplaced records concern several partitions: the events of one entity are spread over
    /// them. Changed views, newer state, a changed topic, and a store that creates an object twice concern each partition
    /// in the same way.
    #[must_use]
    pub const fn fault_scope(&self) -> FaultScope {
        match self {
            Self::LostOffset(_) | Self::DamagedState(DamagedState::NoReadableCheckpoint { .. }) => {
                FaultScope::OnePartition
            }
            Self::DamagedState(DamagedState::MissingCheckpoint { .. })
            | Self::CheckpointStore(CheckpointStoreFault::Refused {
                source: StoreFault::Exists | StoreFault::Failed(_) | StoreFault::Refused(_),
                ..
            }) => FaultScope::PartitionOrStore,
            Self::Input(_)
            | Self::Output(_)
            | Self::Unreachable(_)
            | Self::Refused(_)
            | Self::TopicRecreated(_)
            | Self::PartitionsAdded(_)
            | Self::ForeignState(_)
            | Self::ChangedViews(_)
            | Self::NewerState(_)
            | Self::CheckpointStore(_)
            | Self::PartitionContested(_) => FaultScope::WholeJob,
        }
    }
}
