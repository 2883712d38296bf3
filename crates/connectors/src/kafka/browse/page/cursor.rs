//! The common trait of the cursors, which read one partition towards older or newer records.
//!
//! A cursor reads its partition in pieces of consecutive offsets. In both directions, Kafka delivers the records of a
//! piece in the order of offsets. The cursor buffers the records in the order of the page.

use std::ops::Range;

use super::record_buffer::{BufferLimits, RecordBuffer};
use crate::kafka::browse::records::BrowsedRecord;

/// A cursor that reads the records of one partition for a page, in one direction.
pub(super) trait PartitionCursor: Sized {
    /// Whether the cursor reads towards older records.
    const GOING_BACK: bool;

    /// Creates a cursor at offset `start` of a partition. `readable` is the partition's range of readable offsets.
    /// `piece` is the size of the first piece, and `limits` bounds the cursor's buffer.
    fn new(start: i64, readable: Range<i64>, piece: PieceSize, limits: BufferLimits) -> Self;

    /// Returns the offsets of the next piece.
    fn next_piece_offsets(&self) -> Range<i64>;

    /// Returns whether the cursor needs further records of the current piece.
    fn wants_records(&self) -> bool;

    /// Adds the next record of the current piece to the buffer.
    fn push_record(&mut self, record: BrowsedRecord);

    /// Ends the current `piece`, of which Kafka delivered all records.
    fn end_complete_piece(&mut self, piece: &Range<i64>);

    /// Ends the current piece, of which Kafka delivered only the records before offset `reached`.
    fn end_interrupted_piece(&mut self, reached: i64);

    /// Makes the next piece smaller if a smaller piece may lie outside the unreadable batch that stopped the reading.
    /// Returns whether the piece became smaller.
    fn shrink_to_skip_unreadable(&mut self) -> bool;

    fn piece_size_mut(&mut self) -> &mut PieceSize;

    fn buffer(&self) -> &RecordBuffer;

    fn buffer_mut(&mut self) -> &mut RecordBuffer;

    /// Returns the number of the partition's offsets that remain for later pages in the same direction.
    fn remaining_offset_count(&self) -> i64;

    fn adjacent_page_starts(&self) -> AdjacentPageStarts;

    /// Returns the partition whose record comes next on the page. `fronts` describes the first record in the buffer of
    /// each partition.
    fn choose_next_partition(fronts: impl Iterator<Item = FrontRecordTimestamp>) -> Option<i32>;
}

/// The partition and the timestamp of the record at the front of a cursor's buffer.
pub(super) struct FrontRecordTimestamp {
    pub(super) partition: i32,
    pub(super) timestamp_ms: Option<i64>,
}

/// The offsets in one partition at which two other pages begin: the page of older records and the page of newer
/// records.
pub(super) struct AdjacentPageStarts {
    /// The page of older records contains only records before this offset.
    pub(super) older_page_start: i64,
    /// The page of newer records contains only records at or after this offset.
    pub(super) newer_page_start: i64,
    /// Whether the partition has offsets before `older_page_start`.
    pub(super) has_older: bool,
    /// Whether the partition has offsets at or after `newer_page_start`.
    pub(super) has_newer: bool,
}

impl AdjacentPageStarts {
    pub(super) fn new(older_page_start: i64, newer_page_start: i64, readable: &Range<i64>) -> Self {
        Self {
            older_page_start,
            newer_page_start,
            has_older: older_page_start > readable.start,
            has_newer: newer_page_start < readable.end,
        }
    }
}

/// The number of offsets in the next piece, and the upper limit of that number.
#[derive(Clone, Copy, Debug)]
pub(super) struct PieceSize {
    offset_count: i64,
    offset_count_max: i64,
}

impl PieceSize {
    pub(super) fn new(offsets: i64, offset_count_max: i64) -> Self {
        Self { offset_count: offsets.min(offset_count_max), offset_count_max }
    }

    pub(super) fn piece_offset_count(self) -> i64 {
        self.offset_count
    }

    pub(super) fn grow_piece(&mut self) {
        self.offset_count = (self.offset_count * 2).min(self.offset_count_max);
    }

    /// Divides the number of offsets in the next piece by four, but keeps at least one offset. Returns false if the
    /// piece had only one offset already.
    pub(super) fn shrink_piece(&mut self) -> bool {
        let can_shrink = self.offset_count > 1;
        self.offset_count = (self.offset_count / 4).max(1);
        can_shrink
    }
}
