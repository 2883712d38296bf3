//! Consumer groups: their members, how far each group has read, and what is left.

mod details;
mod members;
mod snapshot;

pub use details::{GroupDetails, GroupPartition, GroupSummary};
pub use members::GroupMember;
