//! The consumer group: the membership of a worker, and a check that every partition is assigned to a member.

pub(super) mod assignment;
mod leave;
mod member_commits;
mod member_consumer;
pub(super) mod membership;
pub(super) mod monitor;
mod name_refusals;
pub(super) mod rebalance_events;
pub(super) mod refusal_reason;
mod session_timeout;

pub use monitor::UnassignedPartitionMonitor;
pub use refusal_reason::GroupRefusalReason;
