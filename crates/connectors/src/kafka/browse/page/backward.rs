//! Reading a partition towards older records.

use std::ops::Range;

use super::cursor::{PageSpan, PartitionCursor, PartitionFront, PieceSize};
use super::record_buffer::{BufferLimits, RecordBuffer};
use crate::kafka::browse::records::BrowsedRecord;

/// A partition that is read towards older records. Its buffer holds the newest record in front.
pub(super) struct BackwardCursor {
    /// Where the page begins.
    start: i64,
    readable: Range<i64>,
    /// Every offset from this one up to `start` has been read.
    oldest_read: i64,
    /// The oldest offset of the current piece that is still in the buffer or was not a match: older ones were dropped
    /// because the buffer was full, and belong to the next piece.
    oldest_kept: Option<i64>,
    piece: PieceSize,
    buffer: RecordBuffer,
}

impl BackwardCursor {
    /// Returns the offset behind the newest record that is older than the page.
    fn end_of_older(&self) -> i64 {
        self.buffer.front().map_or(self.oldest_read, |front| front.offset + 1)
    }
}

impl PartitionCursor for BackwardCursor {
    const GOING_BACK: bool = true;

    fn new(start: i64, readable: Range<i64>, piece: PieceSize, limits: BufferLimits) -> Self {
        Self { start, readable, oldest_read: start, oldest_kept: None, piece, buffer: RecordBuffer::new(limits) }
    }

    fn next_piece(&self) -> Range<i64> {
        (self.oldest_read - self.piece.offsets()).max(self.readable.start)..self.oldest_read
    }

    /// The last records of a piece are the first of the page, so all of them are of use.
    fn wants_records(&self) -> bool {
        true
    }

    fn push_record(&mut self, record: BrowsedRecord) {
        self.buffer.push_front(record);
        while self.buffer.is_over_limits() {
            if let Some(dropped) = self.buffer.pop_back() {
                self.oldest_kept = Some(dropped.offset + 1);
            }
        }
    }

    fn finish_piece(&mut self, piece: &Range<i64>) {
        self.oldest_read = self.oldest_kept.take().unwrap_or(piece.start);
    }

    /// The records that are missing are the first ones of the page: the whole piece is read again.
    fn interrupt_piece(&mut self, _reached: i64) {
        self.oldest_kept = None;
        self.buffer.clear();
    }

    /// The records behind an unreadable batch may be readable: a smaller piece may hold only those.
    fn leave_out_unreadable(&mut self) -> bool {
        self.piece.shrink()
    }

    fn piece_size_mut(&mut self) -> &mut PieceSize {
        &mut self.piece
    }

    fn buffer(&self) -> &RecordBuffer {
        &self.buffer
    }

    fn buffer_mut(&mut self) -> &mut RecordBuffer {
        &mut self.buffer
    }

    fn offsets_left(&self) -> i64 {
        (self.end_of_older() - self.readable.start).max(0)
    }

    fn page_span(&self) -> PageSpan {
        PageSpan::new(self.end_of_older(), self.start, &self.readable)
    }

    fn choose_partition(fronts: impl Iterator<Item = PartitionFront>) -> Option<i32> {
        fronts.max_by_key(|front| front.timestamp_ms).map(|newest| newest.partition)
    }
}
