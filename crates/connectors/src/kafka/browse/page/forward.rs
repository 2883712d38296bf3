//! Reads a partition towards newer records.

use std::ops::Range;

use super::cursor::{AdjacentPageStarts, FrontRecordTimestamp, PartitionCursor, PieceSize};
use super::record_buffer::{BufferLimits, RecordBuffer};
use crate::kafka::browse::records::BrowsedRecord;

/// A cursor that reads a partition towards newer records. The oldest record is at the front of the cursor's buffer.
pub(super) struct ForwardCursor {
    /// The page contains only records at or after this offset.
    page_start: i64,
    readable_offsets: Range<i64>,
    next_unread_offset: i64,
    /// The offset of the first record that the cursor rejected because its buffer was full. The next piece begins at
    /// this offset.
    first_rejected_offset: Option<i64>,
    piece_size: PieceSize,
    buffer: RecordBuffer,
}

impl ForwardCursor {
    fn first_offset_beyond_page(&self) -> i64 {
        self.buffer.front().map_or(self.next_unread_offset, |front| front.offset)
    }
}

impl PartitionCursor for ForwardCursor {
    const GOING_BACK: bool = false;

    fn new(start: i64, readable: Range<i64>, piece: PieceSize, limits: BufferLimits) -> Self {
        Self {
            page_start: start,
            readable_offsets: readable,
            next_unread_offset: start,
            first_rejected_offset: None,
            piece_size: piece,
            buffer: RecordBuffer::new(limits),
        }
    }

    fn next_piece_offsets(&self) -> Range<i64> {
        self.next_unread_offset
            ..(self.next_unread_offset + self.piece_size.piece_offset_count()).min(self.readable_offsets.end)
    }

    fn wants_records(&self) -> bool {
        self.first_rejected_offset.is_none()
    }

    fn push_record(&mut self, record: BrowsedRecord) {
        self.buffer.push_back(record);
        if self.buffer.is_over_limits() {
            self.first_rejected_offset = self.buffer.pop_back().map(|rejected| rejected.offset);
        }
    }

    fn end_complete_piece(&mut self, piece: &Range<i64>) {
        self.next_unread_offset = self.first_rejected_offset.take().unwrap_or(piece.end);
    }

    fn end_interrupted_piece(&mut self, reached: i64) {
        self.next_unread_offset = self.first_rejected_offset.take().unwrap_or(reached);
    }

    /// Always returns false: a smaller piece would begin at the same offset, and therefore contain the same unreadable
    /// batch.
    fn shrink_to_skip_unreadable(&mut self) -> bool {
        false
    }

    fn piece_size_mut(&mut self) -> &mut PieceSize {
        &mut self.piece_size
    }

    fn buffer(&self) -> &RecordBuffer {
        &self.buffer
    }

    fn buffer_mut(&mut self) -> &mut RecordBuffer {
        &mut self.buffer
    }

    fn remaining_offset_count(&self) -> i64 {
        (self.readable_offsets.end - self.first_offset_beyond_page()).max(0)
    }

    fn adjacent_page_starts(&self) -> AdjacentPageStarts {
        AdjacentPageStarts::new(self.page_start, self.first_offset_beyond_page(), &self.readable_offsets)
    }

    fn choose_next_partition(fronts: impl Iterator<Item = FrontRecordTimestamp>) -> Option<i32> {
        fronts.min_by_key(|front| front.timestamp_ms).map(|oldest| oldest.partition)
    }
}
