//! Reads from and writes to any Kafka cluster on behalf of the Kafka UI: brokers, topics, records, groups, one new record.
//!
//! Owns: everything that the Kafka UI shows and does. Does not own: pages, JSON over HTTP, how many requests run at once.
//! There are two ways to Kafka. Records go through librdkafka, which knows batches, compression and transactions
//! (`records/`, `page/`). Metadata is requested from the brokers directly (`wire/`), since librdkafka requests neither
//! sizes on disk nor groups of the new protocol (`cluster.rs`, `topics.rs`, `groups/`).
//! Invariants: nothing here commits an offset, joins a group or creates a topic; every call ends in bounded time, also
//! while Kafka is unreachable; memory is bounded whatever the records are.

mod browser;
mod cluster;
mod disks;
mod error;
mod groups;
mod offsets;
mod page;
mod records;
mod topics;
mod wire;

pub use browser::KafkaBrowser;
pub use cluster::{BrokerSummary, ClusterOverview};
pub use error::BrowseError;
pub use groups::{GroupDetails, GroupMember, GroupPartition, GroupSummary};
pub use page::{PageEnd, PagePlan, PageRequest, PageStart, RecordPage};
pub use records::{
    BrowsedRecord, BytePreview, NewRecord, PartitionPositions, RecordHeader, TailBatch, TailPlan, TailRequest,
    WrittenRecord,
};
pub use topics::{TopicDetails, TopicPartition, TopicSetting, TopicSummary};
