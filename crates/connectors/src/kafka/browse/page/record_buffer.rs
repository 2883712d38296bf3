//! A buffer for the records of one partition that were read, but are not on the page yet.

use std::collections::VecDeque;

use crate::kafka::browse::records::BrowsedRecord;

/// The most records in the buffer of one partition, and the most bytes of these records.
#[derive(Clone, Copy, Debug)]
pub(super) struct BufferLimits {
    pub(super) max_records: usize,
    pub(super) max_bytes: usize,
}

/// Records of one partition. The record at the front comes first on the page.
pub(super) struct RecordBuffer {
    records: VecDeque<BrowsedRecord>,
    total_bytes: usize,
    limits: BufferLimits,
}

impl RecordBuffer {
    pub(super) fn new(limits: BufferLimits) -> Self {
        Self { records: VecDeque::new(), total_bytes: 0, limits }
    }

    pub(super) fn front(&self) -> Option<&BrowsedRecord> {
        self.records.front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns whether the buffer must drop a record. The buffer keeps a single record even if this record exceeds
    /// `max_bytes`.
    pub(super) fn is_over_limits(&self) -> bool {
        self.records.len() > self.limits.max_records
            || (self.total_bytes > self.limits.max_bytes && self.records.len() > 1)
    }

    pub(super) fn push_front(&mut self, record: BrowsedRecord) {
        self.total_bytes += record.estimate_memory_bytes();
        self.records.push_front(record);
    }

    pub(super) fn push_back(&mut self, record: BrowsedRecord) {
        self.total_bytes += record.estimate_memory_bytes();
        self.records.push_back(record);
    }

    pub(super) fn pop_front(&mut self) -> Option<BrowsedRecord> {
        let record = self.records.pop_front()?;
        self.total_bytes -= record.estimate_memory_bytes();
        Some(record)
    }

    pub(super) fn pop_back(&mut self) -> Option<BrowsedRecord> {
        let record = self.records.pop_back()?;
        self.total_bytes -= record.estimate_memory_bytes();
        Some(record)
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.total_bytes = 0;
    }
}
