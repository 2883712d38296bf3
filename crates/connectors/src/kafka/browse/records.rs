//! Records for the Kafka UI: how they are read, what of them is shown, how new ones are followed, how one is sent.

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
