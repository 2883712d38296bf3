//! Buffers records of one partition that were read and are not yet on the page.

use std::collections::VecDeque;

use crate::kafka::browse::records::BrowsedRecord;

/// The most records, and the most bytes of records, in the buffer of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct BufferLimits {
    pub(super) records_max: usize,
    pub(super) bytes_max: usize,
}

/// Records of one partition, with the next record of the page at the front.
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

    /// Returns whether the buffer must drop a record. A single record may exceed the limit of bytes.
    pub(super) fn is_over_limits(&self) -> bool {
        self.records.len() > self.limits.records_max
            || (self.total_bytes > self.limits.bytes_max && self.records.len() > 1)
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
