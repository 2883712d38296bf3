//! The classification that faults of Redis, Kafka and the checkpoint store share.

/// What can end a fault of a service, and so whether an operation may be repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultClass {
    /// Time ends it: the service is unreachable, overloaded, or answered too late.
    Transient,
    /// An operator must act: credentials, rights, settings, or what the service holds.
    NeedsOperator,
    /// A bug in Windrow.
    Bug,
}

impl FaultClass {
    /// Whether a running job may repeat the operation without an operator's action.
    #[must_use]
    pub const fn may_retry(self) -> bool {
        matches!(self, Self::Transient)
    }
}
