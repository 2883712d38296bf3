//! The consumer group: a worker's membership, and whether every partition is assigned to a member.

pub(super) mod assignment;
pub(super) mod membership;
pub(super) mod monitor;
pub(super) mod refusal;

pub use monitor::GroupMonitor;
pub use refusal::GroupRefusal;
