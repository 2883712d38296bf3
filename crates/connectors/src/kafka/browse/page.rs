//! Reads a page of records of a topic: the next records before or after a position, ordered by timestamp across all
//! partitions.
//!
//! A [`PagePlan`] contains a [`PageRequest`] and the offsets that can be read. The page reader (`page_reader.rs`) turns
//! the plan into a [`RecordPage`]. A page is read either towards older records or towards newer records. Each partition
//! has one cursor, which reads in the direction of the page ([`backward`] or [`forward`]). Both cursors implement the
//! trait in [`cursor`]. A cursor reads its partition in pieces of consecutive offsets, and buffers the records. A round
//! reads one piece of each partition that has no buffered record. The reader merges the records of all buffers by
//! timestamp, and keeps the order of offsets within a partition.
//! Invariants: `MAX_BUFFERED_BYTES` bounds the buffered bytes of all partitions together. No buffer holds more records
//! than the page may hold. Consecutive pages skip no record and repeat no record. If a timeout interrupts a piece, the
//! next page reads the unread offsets, so no page has a gap.

mod backward;
mod cursor;
mod forward;
mod page_reader;
mod plan;
mod record_buffer;
mod record_page;
mod request;

pub use plan::PagePlan;
pub use record_page::{PageEndReason, RecordPage};
pub use request::{PageRequest, PageStart};
