//! Reads records for the Kafka UI, truncates long records, follows new records, and writes single records.

pub(super) mod consumer;
pub(super) mod positions;
mod preview;
pub(super) mod record;
mod tail;
mod write_record;

pub use positions::PartitionPositions;
pub use preview::BytePreview;
pub use record::{BrowsedRecord, RecordHeader};
pub use tail::{TailBatch, TailPlan, TailRequest};
pub use write_record::{NewRecord, WrittenRecord};
