//! Reads a partition towards older records.

use std::ops::Range;

use super::cursor::{AdjacentPageStarts, FrontRecordTimestamp, PartitionCursor, PieceSize};
use super::record_buffer::{BufferLimits, RecordBuffer};
use crate::kafka::browse::records::BrowsedRecord;

/// A cursor that reads a partition towards older records. The newest record is at the front of the cursor's buffer.
pub(super) struct BackwardCursor {
    /// The page contains only records before this offset.
    page_start: i64,
    readable_offsets: Range<i64>,
    /// The cursor has read the offsets from this offset up to, but not including, `page_start`.
    oldest_read: i64,
    /// The offset after the newest record that the cursor dropped because its buffer was full. The next piece ends at
    /// this offset, so a later round reads the dropped records again.
    oldest_kept_offset: Option<i64>,
    piece_size: PieceSize,
    buffer: RecordBuffer,
}

impl BackwardCursor {
    /// Returns the offset at which the page of older records begins. That page contains only records before this
    /// offset.
    fn end_of_older_records(&self) -> i64 {
        self.buffer.front().map_or(self.oldest_read, |front| front.offset + 1)
    }
}

impl PartitionCursor for BackwardCursor {
    const GOING_BACK: bool = true;

    fn new(start: i64, readable: Range<i64>, piece: PieceSize, limits: BufferLimits) -> Self {
        Self {
            page_start: start,
            readable_offsets: readable,
            oldest_read: start,
            oldest_kept_offset: None,
            piece_size: piece,
            buffer: RecordBuffer::new(limits),
        }
    }

    fn next_piece_offsets(&self) -> Range<i64> {
        (self.oldest_read - self.piece_size.piece_offset_count()).max(self.readable_offsets.start)..self.oldest_read
    }

    /// Always returns true. Kafka delivers the newest records of a piece last, but these records come first on the
    /// page. So the cursor needs the whole piece.
    fn wants_records(&self) -> bool {
        true
    }

    fn push_record(&mut self, record: BrowsedRecord) {
        self.buffer.push_front(record);
        while self.buffer.is_over_limits() {
            if let Some(dropped) = self.buffer.pop_back() {
                self.oldest_kept_offset = Some(dropped.offset + 1);
            }
        }
    }

    fn end_complete_piece(&mut self, piece: &Range<i64>) {
        self.oldest_read = self.oldest_kept_offset.take().unwrap_or(piece.start);
    }

    /// Discards the delivered records of the piece, so that a later round reads the whole piece again. The records that
    /// Kafka did not deliver are the newest of the piece. These records come first on the page, so the cursor must not
    /// skip them.
    fn end_interrupted_piece(&mut self, _reached: i64) {
        self.oldest_kept_offset = None;
        self.buffer.clear();
    }

    /// Makes the next piece smaller. The smaller piece ends at the same offset, so the smaller piece may lie entirely
    /// after the unreadable batch.
    fn shrink_to_skip_unreadable(&mut self) -> bool {
        self.piece_size.shrink_piece()
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
        (self.end_of_older_records() - self.readable_offsets.start).max(0)
    }

    fn adjacent_page_starts(&self) -> AdjacentPageStarts {
        AdjacentPageStarts::new(self.end_of_older_records(), self.page_start, &self.readable_offsets)
    }

    fn choose_next_partition(fronts: impl Iterator<Item = FrontRecordTimestamp>) -> Option<i32> {
        fronts.max_by_key(|front| front.timestamp_ms).map(|newest| newest.partition)
    }
}
