//! The classes of faults that Redis, Kafka and the checkpoint store report.

/// The class of a fault, which decides whether the failed operation is retried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultClass {
    /// The fault may end without an operator's action: the service is unreachable or overloaded, or answered too late.
    Transient,
    /// The fault lasts until an operator corrects credentials, permissions, settings or the data in the service.
    NeedsOperator,
    /// The fault is a bug in Windrow.
    Bug,
}

impl FaultClass {
    /// Returns whether a running job may retry the failed operation.
    #[must_use]
    pub const fn may_retry(self) -> bool {
        matches!(self, Self::Transient)
    }
}
