//! The consumer group: the membership of a worker, and a check that every partition is assigned to a member.

pub(super) mod assignment;
mod leave;
pub(super) mod membership;
pub(super) mod monitor;
pub(super) mod refusal_reason;

pub use monitor::UnassignedPartitionMonitor;
pub use refusal_reason::GroupRefusalReason;
