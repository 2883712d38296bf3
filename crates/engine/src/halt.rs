//! The reasons why a job halts: faults that no retry resolves.
//!
//! Owns: the reasons, as data. Each variant of [`Halt`] is a kind of reason and has its own exit code. The type inside
//! a variant holds what happened, to what, and where.
//! Does not own: exit codes and advice (the binary renders both), the errors of a connector (a halt holds an error as
//! its source).
//! Invariants: (1) No text of a halt names a command-line flag or a setting. (2) The text of a halt states a fact, and
//! does not repeat the text of its source.

mod error_chain;
mod input;
mod output;
mod service;
mod state;

pub use error_chain::{ErrorChain, SharedError, share_error};
pub use input::{AddedPartitions, CheckpointPlace, InputFault, LostOffset, RecreatedTopic};
pub use output::OutputFault;
pub use service::{ServiceAddress, ServiceRefusal, SourceOperation, UnreachableService, WaitEndReason};
pub use state::{
    ChangedViews, CheckpointStoreFault, ContestedPartition, DamagedCheckpoint, DamagedState, DroppedView, ForeignState,
    NewerState, PipelineAndTopic, ViewChange,
};

/// A fault that no retry resolves. The worker stops. Rows and checkpoints that are already written stay.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Halt {
    /// The input is missing, or cannot be read or processed.
    #[error(transparent)]
    Input(#[from] InputFault),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputFault),
    /// A service did not answer within the time allowed, or before a stop was requested.
    #[error(transparent)]
    Unreachable(#[from] UnreachableService),
    /// A service refused an operation.
    #[error(transparent)]
    Refused(#[from] ServiceRefusal),
    /// The source no longer holds the offset at which reading continues.
    #[error(transparent)]
    LostOffset(#[from] LostOffset),
    /// The topic was deleted and created again, so its offsets now identify other records.
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
    /// The checkpoint store refused an operation, or a thread that uses the store failed.
    #[error(transparent)]
    CheckpointStore(#[from] CheckpointStoreFault),
    /// A process outside this consumer group claims a partition again and again.
    #[error(transparent)]
    PartitionContested(#[from] ContestedPartition),
}
