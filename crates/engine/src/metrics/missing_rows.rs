//! The rows that the row store has lost and that a worker cannot write again.

use parking_lot::Mutex;

use super::counter::Counter;
use crate::checkpoint::MissingRows;

/// The maximum number of entries that a worker remembers.
const MAX_REMEMBERED_ENTRIES: usize = 100;

/// Missing rows, and when the worker noticed that they are missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingRowsRecord {
    /// The wall-clock time at which the worker noticed the loss, in epoch milliseconds.
    pub noticed_at_ms: i64,
    /// The rows.
    pub missing_rows: MissingRows,
}

/// The rows that one worker cannot write again.
#[derive(Debug, Default)]
pub struct MissingRowsMetrics {
    /// The number of rows.
    pub row_count: Counter,
    /// The newest entries, oldest first.
    records: Mutex<Vec<MissingRowsRecord>>,
}

impl MissingRowsMetrics {
    pub(crate) fn add_missing_rows(&self, missing: &[MissingRows], noticed_at_ms: i64) {
        let mut records = self.records.lock();
        for rows in missing {
            self.row_count.add(rows.row_count());
            records.push(MissingRowsRecord { noticed_at_ms, missing_rows: rows.clone() });
        }
        let excess = records.len().saturating_sub(MAX_REMEMBERED_ENTRIES);
        records.drain(..excess);
    }

    /// Returns the newest entries, newest first.
    #[must_use]
    pub fn recent_records(&self) -> Vec<MissingRowsRecord> {
        self.records.lock().iter().rev().cloned().collect()
    }
}
