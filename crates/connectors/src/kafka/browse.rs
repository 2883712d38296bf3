//! Fetches brokers, topics, records and groups of any Kafka cluster for the Kafka UI, and sends single records. Also reads
//! the newest records of a topic for `windrow generate`.
//!
//! Owns: everything that the Kafka UI reads from Kafka or writes to Kafka. Does not own: the web pages, the JSON over
//! HTTP, and the limit on concurrent requests.
//! Records are read and written through librdkafka, which handles batches, compression and transactions (`records/`,
//! `page/`). Metadata is requested from the brokers directly (`wire/`, `cluster.rs`, `topics.rs`, `groups/`), because
//! librdkafka cannot request disk sizes or groups of the new group protocol (KIP-848).
//! Invariants: no code here commits an offset, joins a group or creates a topic. Every call ends in bounded time, also
//! while Kafka is unreachable. The exception is a call that follows a topic: it continues until its callback ends it.
//! Memory is bounded, whatever the size of the records, and whatever the answer of a broker announces.

mod browser;
mod cluster;
mod disks;
mod error;
mod groups;
mod log_history;
mod newest_records;
mod offsets;
mod page;
mod records;
mod topics;
mod wire;

pub use browser::KafkaBrowser;
pub use cluster::{BrokerSummary, ClusterOverview};
pub use error::BrowseError;
pub use groups::{GroupDetails, GroupMember, GroupPartitionProgress, GroupSummary};
pub use log_history::KafkaLogHistory;
pub use newest_records::read_newest_records;
pub use page::{PageEndReason, PagePlan, PageRequest, PageStart, RecordPage};
pub use records::{
    BrowsedRecord, BytePreview, NewRecord, PartitionPositions, RecordHeader, TailBatch, TailPlan, TailRequest,
    WrittenRecord,
};
pub use topics::{PartitionDetails, TopicDetails, TopicSetting, TopicSummary};
pub use wire::answer_decoder::decode_answer;
