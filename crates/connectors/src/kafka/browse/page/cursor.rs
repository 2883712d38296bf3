//! What reading one partition has in common in both directions.
//!
//! A cursor reads its partition in pieces of consecutive offsets. Kafka delivers the records of a piece in the order of
//! offsets, in both directions; a cursor keeps them in the order of the page.

use std::ops::Range;

use super::record_buffer::{BufferLimits, RecordBuffer};
use crate::kafka::browse::records::BrowsedRecord;

/// One partition of a page, read in one direction.
pub(super) trait PartitionCursor: Sized {
    /// Whether the page leads towards older records.
    const GOING_BACK: bool;

    /// Creates a cursor at offset `start` of a partition of which `readable` can be read.
    fn new(start: i64, readable: Range<i64>, piece: PieceSize, limits: BufferLimits) -> Self;

    /// Returns the offsets to read next.
    fn next_piece(&self) -> Range<i64>;

    /// Returns whether further records of the current piece are of use.
    fn wants_records(&self) -> bool;

    /// Takes the next record of the current piece.
    fn push_record(&mut self, record: BrowsedRecord);

    /// Ends the current `piece`, of which every record was delivered.
    fn finish_piece(&mut self, piece: &Range<i64>);

    /// Ends the current piece, of which only the records before offset `reached` were delivered.
    fn interrupt_piece(&mut self, reached: i64);

    /// Makes the next piece smaller, if that may leave an unreadable batch out of it. Returns whether it did.
    fn leave_out_unreadable(&mut self) -> bool;

    fn piece_size_mut(&mut self) -> &mut PieceSize;

    fn buffer(&self) -> &RecordBuffer;

    fn buffer_mut(&mut self) -> &mut RecordBuffer;

    /// Returns how many offsets are left for the following pages of this direction.
    fn offsets_left(&self) -> i64;

    /// Returns where the page lies in this partition.
    fn page_span(&self) -> PageSpan;

    /// Returns which partition has the next record of the page, given the timestamp of the record in front of each.
    fn choose_partition(fronts: impl Iterator<Item = PartitionFront>) -> Option<i32>;
}

/// The partition of a record in front of a cursor, and the record's timestamp.
pub(super) struct PartitionFront {
    pub(super) partition: i32,
    pub(super) timestamp_ms: Option<i64>,
}

/// Where a page lies in one partition.
pub(super) struct PageSpan {
    /// The page that goes back from this offset holds the next older records.
    pub(super) older: i64,
    /// The page that goes forward from this offset holds the next newer records.
    pub(super) newer: i64,
    /// Whether the partition has offsets before `older`.
    pub(super) has_older: bool,
    /// Whether the partition has offsets from `newer` on.
    pub(super) has_newer: bool,
}

impl PageSpan {
    pub(super) fn new(older: i64, newer: i64, readable: &Range<i64>) -> Self {
        Self { older, newer, has_older: older > readable.start, has_newer: newer < readable.end }
    }
}

/// How many offsets the next piece covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct PieceSize {
    offsets: i64,
    max: i64,
}

impl PieceSize {
    pub(super) fn new(offsets: i64, max: i64) -> Self {
        Self { offsets: offsets.min(max), max }
    }

    pub(super) fn offsets(self) -> i64 {
        self.offsets
    }

    pub(super) fn grow(&mut self) {
        self.offsets = (self.offsets * 2).min(self.max);
    }

    /// Returns whether the size was larger than one offset.
    pub(super) fn shrink(&mut self) -> bool {
        let can_shrink = self.offsets > 1;
        self.offsets = (self.offsets / 4).max(1);
        can_shrink
    }
}
