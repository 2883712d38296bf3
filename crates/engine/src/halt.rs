//! Why a job stops although nobody asked it to.

/// A fault that no retry mends: the worker stops, everything is kept, and the message says what to do next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Halt {
    /// The input cannot be used as it is (records without a key, an unknown topic, an offset that is gone).
    #[error("{0}")]
    Input(String),
    /// The output or a file cannot be written.
    #[error("{0}")]
    Output(String),
    /// Kafka or Redis was not there within the time allowed for the start.
    #[error("{0}")]
    NotReachable(String),
    /// The offset that reading should go on at is no longer in Kafka.
    #[error("{0}")]
    LostOffset(String),
    /// The topic was deleted and created again: its offsets mean other records now.
    #[error("{0}")]
    TopicRecreated(String),
    /// The topic has more partitions than the checkpoints know: keys have moved between partitions.
    #[error("{0}")]
    PartitionsAdded(String),
    /// The state belongs to another pipeline or topic.
    #[error("{0}")]
    ForeignState(String),
    /// Feature views changed, and their state would have to be dropped.
    #[error("{0}")]
    ChangedViews(String),
    /// The state was written by a newer version.
    #[error("{0}")]
    NewerState(String),
    /// No checkpoint of a partition can be read any more.
    #[error("{0}")]
    DamagedState(String),
    /// The checkpoint store refuses.
    #[error("{0}")]
    CheckpointStore(String),
    /// Another job, not a member of our group, has taken over a partition.
    #[error("{0}")]
    Fenced(String),
    /// Kafka or Redis refused in a way that is neither of the above.
    #[error("{0}")]
    Refused(String),
}
