//! Fetches consumer groups: their members, their committed offsets, and their lag.

mod details;
mod members;
mod snapshot;

pub use details::{GroupDetails, GroupPartition, GroupSummary};
pub use members::GroupMember;
