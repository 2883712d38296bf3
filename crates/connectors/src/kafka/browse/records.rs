//! Reads records for the Kafka UI, truncates long ones, follows new ones, and sends single records.

pub(super) mod consumer;
pub(super) mod positions;
mod preview;
pub(super) mod record;
mod send;
mod tail;

pub use positions::PartitionPositions;
pub use preview::BytePreview;
pub use record::{BrowsedRecord, RecordHeader};
pub use send::{NewRecord, WrittenRecord};
pub use tail::{TailBatch, TailPlan, TailRequest};
