//! Reads a page of records of a topic: the next records before or after a position, ordered by timestamp across all
//! partitions.
//!
//! The steps are a [`PageRequest`], a [`PagePlan`] with the offsets that can be read, the reader (`page_reader.rs`),
//! and the [`RecordPage`]. A page is read either towards older records or towards newer ones. Each partition has a
//! cursor for that direction ([`backward`], [`forward`]; [`cursor`] has their common trait). A cursor reads its
//! partition in pieces of consecutive offsets. A round reads one piece of each partition that has no buffered record.
//! The reader merges the records at the front of all cursors by timestamp, and keeps the order of offsets within a
//! partition.
//! Invariants: memory is bounded by `BUFFERED_BYTES_MAX` and the page's limit per partition. Consecutive pages
//! skip no record and repeat none. Offsets of a piece that a timeout left unread are read later, so no page has a gap.

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
