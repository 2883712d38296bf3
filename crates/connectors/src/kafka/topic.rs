//! The topic: waiting for it, its id, where its partitions begin and end, and whether it is still the same.

mod description;
pub(super) mod lookup;
pub(super) mod monitor;
pub(super) mod partition_bounds;

pub use lookup::{TopicIdentity, wait_for_topic};
pub use monitor::{PartitionGrowth, TopicMonitor};
