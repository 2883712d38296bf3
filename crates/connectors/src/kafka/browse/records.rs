//! Reads records for the Kafka UI, truncates long records, follows new records, and writes single records.

pub(super) mod consumer;
pub(super) mod positions;
mod preview;
mod produce_record;
pub(super) mod record;
mod tail;

pub use positions::PartitionPositions;
pub use preview::BytePreview;
pub use produce_record::{NewRecord, WrittenRecord};
pub use record::{BrowsedRecord, RecordHeader};
pub use tail::{TailBatch, TailPlan, TailRequest};
