//! Fetches consumer groups: their members, their committed offsets, and their lag.

mod coordinator_requests;
mod details;
mod members;

pub use details::{GroupDetails, GroupPartitionProgress, GroupSummary};
pub use members::GroupMember;
