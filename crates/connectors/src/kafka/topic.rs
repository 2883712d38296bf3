//! Looks up and monitors a topic: its existence, its id, and the offsets at which its partitions begin and end.

mod description;
pub(super) mod lookup;
pub(super) mod monitor;
pub(super) mod partition_bounds;

pub use lookup::{MissingTopicPolicy, TopicIdentity, wait_for_topic};
pub use monitor::{PartitionGrowthPolicy, TopicMonitor};
