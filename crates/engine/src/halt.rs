//! Why a job halts: the faults that no retry ends.
//!
//! Owns: the reasons, as data. Each variant of [`Halt`] is a kind of reason with an exit code of its own; the type inside
//! it says what happened, to what, and where. Does not own: exit codes and the way out (the binary renders both), nor the
//! errors of a connector, which are held as sources.
//! Invariant: no text here names a command-line flag or a setting. A text states the fact; its source is not repeated in it.

mod input;
mod output;
mod parts;
mod service;
mod state;

pub use input::{AddedPartitions, CheckpointPlace, InputFault, LostOffset, RecreatedTopic};
pub use output::OutputFault;
pub use parts::{ErrorChain, SharedError, share_error};
pub use service::{ServiceAddress, ServiceRefusal, SourceOperation, UnreachableService, WaitEnd};
pub use state::{
    ChangedViews, CheckpointStoreFault, ContestedPartition, DamagedCheckpoint, DamagedState, DroppedView, ForeignState,
    JobName, NewerState, ViewChange,
};

/// A fault that no retry ends: the worker stops, and everything that was written is kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Halt {
    /// The input cannot be used as it is.
    #[error(transparent)]
    Input(#[from] InputFault),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputFault),
    /// A service did not answer within the time allowed, or before a stop.
    #[error(transparent)]
    Unreachable(#[from] UnreachableService),
    /// A service answered, and refused.
    #[error(transparent)]
    Refused(#[from] ServiceRefusal),
    /// The source no longer holds the offset that reading continues at.
    #[error(transparent)]
    LostOffset(#[from] LostOffset),
    /// The topic was deleted and created again: its offsets mean other records now.
    #[error(transparent)]
    TopicRecreated(#[from] RecreatedTopic),
    /// The topic has more partitions than the job knows: keys have moved between partitions.
    #[error(transparent)]
    PartitionsAdded(#[from] AddedPartitions),
    /// The state belongs to another pipeline or topic, or there is none.
    #[error(transparent)]
    ForeignState(#[from] ForeignState),
    /// Feature views changed, and their state would have to be dropped.
    #[error(transparent)]
    ChangedViews(#[from] ChangedViews),
    /// The state was written by a newer version.
    #[error(transparent)]
    NewerState(#[from] NewerState),
    /// No checkpoint of a partition can be read.
    #[error(transparent)]
    DamagedState(#[from] DamagedState),
    /// The checkpoint store refuses or fails.
    #[error(transparent)]
    CheckpointStore(#[from] CheckpointStoreFault),
    /// Another job, not a member of this consumer group, has claimed a partition.
    #[error(transparent)]
    Fenced(#[from] ContestedPartition),
}
