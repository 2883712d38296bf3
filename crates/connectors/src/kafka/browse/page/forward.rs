//! Reading a partition towards newer records.

use std::ops::Range;

use super::cursor::{PageSpan, PartitionCursor, PartitionFront, PieceSize};
use super::record_buffer::{BufferLimits, RecordBuffer};
use crate::kafka::browse::records::BrowsedRecord;

/// A partition that is read towards newer records. Its buffer holds the oldest record in front.
pub(super) struct ForwardCursor {
    /// Where the page begins.
    start: i64,
    readable: Range<i64>,
    /// The first offset that has not been read.
    next_unread: i64,
    /// The first record of the current piece that found the buffer full: the next piece begins with it.
    first_rejected: Option<i64>,
    piece: PieceSize,
    buffer: RecordBuffer,
}

impl ForwardCursor {
    /// Returns the offset of the first record that is not on the page.
    fn first_beyond_page(&self) -> i64 {
        self.buffer.front().map_or(self.next_unread, |front| front.offset)
    }
}

impl PartitionCursor for ForwardCursor {
    const GOING_BACK: bool = false;

    fn new(start: i64, readable: Range<i64>, piece: PieceSize, limits: BufferLimits) -> Self {
        Self { start, readable, next_unread: start, first_rejected: None, piece, buffer: RecordBuffer::new(limits) }
    }

    fn next_piece(&self) -> Range<i64> {
        self.next_unread..(self.next_unread + self.piece.offsets()).min(self.readable.end)
    }

    fn wants_records(&self) -> bool {
        self.first_rejected.is_none()
    }

    fn push_record(&mut self, record: BrowsedRecord) {
        self.buffer.push_back(record);
        if self.buffer.is_over_limits() {
            self.first_rejected = self.buffer.pop_back().map(|rejected| rejected.offset);
        }
    }

    fn finish_piece(&mut self, piece: &Range<i64>) {
        self.next_unread = self.first_rejected.take().unwrap_or(piece.end);
    }

    fn interrupt_piece(&mut self, reached: i64) {
        self.next_unread = self.first_rejected.take().unwrap_or(reached);
    }

    /// A smaller piece would begin at the same offset and end before the same batch.
    fn leave_out_unreadable(&mut self) -> bool {
        false
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
        (self.readable.end - self.first_beyond_page()).max(0)
    }

    fn page_span(&self) -> PageSpan {
        PageSpan::new(self.start, self.first_beyond_page(), &self.readable)
    }

    fn choose_partition(fronts: impl Iterator<Item = PartitionFront>) -> Option<i32> {
        fronts.min_by_key(|front| front.timestamp_ms).map(|oldest| oldest.partition)
    }
}
