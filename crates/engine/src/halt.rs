//! The reasons why a job halts: faults that no retry resolves.
//!
//! Owns: the reasons, as data. Each variant of [`Halt`] is a kind of reason with its own exit code. The type inside
//! describes what happened, to what, and where.
//! Does not own: exit codes and advice (the binary renders both), the errors of a connector (held as sources).
//! Invariant: no text here names a command-line flag or a setting. A text states the fact and does not repeat its
//! source.

mod input;
mod output;
mod parts;
mod service;
mod state;

pub use input::{AddedPartitions, CheckpointPlace, InputFault, LostOffset, RecreatedTopic};
pub use output::OutputFault;
pub use parts::{ErrorChain, SharedError, share_error};
pub use service::{ServiceAddress, ServiceRefusal, SourceOperation, UnreachableService, WaitEndReason};
pub use state::{
    ChangedViews, CheckpointStoreFault, ContestedPartition, DamagedCheckpoint, DamagedState, DroppedView, ForeignState,
    NewerState, PipelineAndTopic, ViewChange,
};

/// A fault that no retry resolves. The worker stops, and everything already written is kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Halt {
    /// The input cannot be used in its present form.
    #[error(transparent)]
    Input(#[from] InputFault),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputFault),
    /// A service did not answer within the time allowed, or before a stop was requested.
    #[error(transparent)]
    Unreachable(#[from] UnreachableService),
    /// A service answered and refused.
    #[error(transparent)]
    Refused(#[from] ServiceRefusal),
    /// The source no longer holds the offset at which reading continues.
    #[error(transparent)]
    LostOffset(#[from] LostOffset),
    /// The topic was deleted and created again, so its offsets refer to other records now.
    #[error(transparent)]
    TopicRecreated(#[from] RecreatedTopic),
    /// The topic has more partitions than the job knows, so keys have moved between partitions.
    #[error(transparent)]
    PartitionsAdded(#[from] AddedPartitions),
    /// The state belongs to another pipeline or topic, or the state is missing.
    #[error(transparent)]
    ForeignState(#[from] ForeignState),
    /// Feature views changed, and their state would be dropped.
    #[error(transparent)]
    ChangedViews(#[from] ChangedViews),
    /// A newer version of Windrow wrote the state.
    #[error(transparent)]
    NewerState(#[from] NewerState),
    /// A partition's state is damaged, or its checkpoint is missing.
    #[error(transparent)]
    DamagedState(#[from] DamagedState),
    /// The checkpoint store refuses or fails.
    #[error(transparent)]
    CheckpointStore(#[from] CheckpointStoreFault),
    /// Another job, outside this consumer group, has claimed a partition.
    #[error(transparent)]
    PartitionContested(#[from] ContestedPartition),
}
