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
    /// Kafka or Redis refused in a way that is neither of the above.
    #[error("{0}")]
    Refused(String),
}
