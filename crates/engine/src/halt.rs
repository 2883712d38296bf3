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

pub use error_chain::{ErrorChain, SharedError, share_error};
pub use input_fault::{AddedPartitions, CheckpointPlace, InputFault, LostOffset, MisplacedInputRecord, RecreatedTopic};
pub use output_fault::OutputFault;
pub use service_fault::{NoAnswerReason, ServiceAddress, ServiceRefusal, SourceOperation, UnreachableService};
pub use state_fault::{
    ChangedViews, CheckpointStoreFault, ContestedPartition, DamagedCheckpoint, DamagedState, DroppedView, ForeignState,
    NewerState, PipelineAndTopic, ViewChange,
};

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
