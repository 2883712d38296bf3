//! The classification of faults of Redis, Kafka and the checkpoint store.

/// The class of a service's fault, which decides whether the operation is repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultClass {
    /// The fault ends by itself: the service is unreachable, overloaded, or answered too late.
    Transient,
    /// An operator must act on credentials, rights, settings or the data in the service.
    NeedsOperator,
    /// The fault is a bug in Windrow.
    Bug,
}

impl FaultClass {
    /// Returns whether a running job may repeat the operation without an operator's action.
    #[must_use]
    pub const fn may_retry(self) -> bool {
        matches!(self, Self::Transient)
    }
}
