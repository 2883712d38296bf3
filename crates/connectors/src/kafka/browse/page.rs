//! A page of records of a topic: the next ones before or after a position, ordered by timestamp, all partitions together.
//!
//! A page is requested ([`PageRequest`]), planned with the offsets that can be read ([`PagePlan`]), read (`page_reader.rs`)
//! and returned as a [`RecordPage`]. It is read towards older records or towards newer ones. Each partition has a cursor of
//! that direction ([`backward`], [`forward`]; what they share is [`cursor`]) which reads its offsets piece by piece.
//! The records in front of the cursors are merged by timestamp, keeping the order of offsets within a partition.
//! Invariants: memory is bounded by `BUFFERED_BYTES_MAX` and the page's limit per partition; the positions of a page skip
//! no record and show none twice; a piece that was interrupted by time is read again, so no page has a gap.

mod backward;
mod cursor;
mod forward;
mod page_reader;
mod plan;
mod record_buffer;
mod record_page;
mod request;

pub use plan::PagePlan;
pub use record_page::{PageEnd, RecordPage};
pub use request::{PageRequest, PageStart};
