//! Records of one partition that were read and are not yet on the page.

use std::collections::VecDeque;

use crate::kafka::browse::records::BrowsedRecord;

/// How much one partition may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct BufferLimits {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// Records of one partition; the next one for the page is in front.
pub(super) struct RecordBuffer {
    records: VecDeque<BrowsedRecord>,
    bytes: usize,
    limits: BufferLimits,
}

impl RecordBuffer {
    pub(super) fn new(limits: BufferLimits) -> Self {
        Self { records: VecDeque::new(), bytes: 0, limits }
    }

    pub(super) fn front(&self) -> Option<&BrowsedRecord> {
        self.records.front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns whether the last record must go. One record is kept however large it is.
    pub(super) fn is_over_limits(&self) -> bool {
        self.records.len() > self.limits.records || (self.bytes > self.limits.bytes && self.records.len() > 1)
    }

    pub(super) fn push_front(&mut self, record: BrowsedRecord) {
        self.bytes += record.memory_bytes();
        self.records.push_front(record);
    }

    pub(super) fn push_back(&mut self, record: BrowsedRecord) {
        self.bytes += record.memory_bytes();
        self.records.push_back(record);
    }

    pub(super) fn pop_front(&mut self) -> Option<BrowsedRecord> {
        let record = self.records.pop_front()?;
        self.bytes -= record.memory_bytes();
        Some(record)
    }

    pub(super) fn pop_back(&mut self) -> Option<BrowsedRecord> {
        let record = self.records.pop_back()?;
        self.bytes -= record.memory_bytes();
        Some(record)
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.bytes = 0;
    }
}
