//! Rows that the row store has lost and that no kept checkpoint produces again.
//!
//! Owns: the description of these rows by view, row number, offset and event time. Does not own: the decision which
//! checkpoint is restored (`find_checkpoint`).

use std::fmt;

use windrow_core::EventTime;

use super::manifest::{CheckpointManifest, EarlierCut};
use crate::{CountedRows, Offset, Partition, StoredRows};

/// Consecutive rows of one feature view that the row store has lost. They fired before the oldest checkpoint from which
/// the partition can continue, so the job does not write them again. The fence does not tell when a row was written. So
/// these include rows whose time to live had ended before the loss: after a complete loss, all rows from the first on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingRows {
    /// The partition that produced the rows.
    pub partition: Partition,
    /// The name of the feature view.
    pub view_name: String,
    /// The number of the first missing row.
    pub first_row_number: u64,
    /// The number of the last missing row.
    pub last_row_number: u64,
    /// The rows fired when records from this offset on were read; `None` if unknown.
    pub first_offset: Option<Offset>,
    /// The rows fired before the record at this offset was read.
    pub end_offset: Offset,
    /// The windows of the rows ended after this event time, in epoch milliseconds; `None` if unknown.
    pub windows_ended_after_ms: Option<i64>,
    /// The windows of the rows ended at this event time at the latest, in epoch milliseconds; `None` if unknown.
    pub windows_ended_by_ms: Option<i64>,
}

impl MissingRows {
    /// Returns the number of missing rows.
    #[must_use]
    pub const fn row_count(&self) -> u64 {
        self.last_row_number - self.first_row_number + 1
    }
}

impl fmt::Display for MissingRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, view_name, first_row_number, last_row_number, .. } = self;
        write!(f, "rows {first_row_number} to {last_row_number} of `{view_name}` in partition {partition}")?;
        let time = |ms: i64| EventTime::from_ms(ms);
        match (self.windows_ended_after_ms, self.windows_ended_by_ms) {
            (Some(after), Some(by)) => write!(f, ", of windows that ended after {} and by {}", time(after), time(by))?,
            (None, Some(by)) => write!(f, ", of windows that ended by {}", time(by))?,
            (_, None) => {}
        }
        match self.first_offset {
            Some(first) => write!(f, " (records {first} to {})", self.end_offset - 1),
            None => write!(f, " (records before {})", self.end_offset),
        }
    }
}

/// Returns the rows that `manifest` counts and that the row store lacks. `stored` is what the partition's fence
/// tells; `None` if there is no fence.
pub(super) fn describe_missing_rows(manifest: &CheckpointManifest, stored: Option<&StoredRows>) -> Vec<MissingRows> {
    let describe = |(view_index, rows): (usize, CountedRows)| {
        let missing = rows.count_missing_in(stored);
        let count = rows.newest_numbering;
        if missing == 0 {
            return None;
        }
        let last_stored = count.last_row_number - missing;
        let has_only_stored_rows =
            |cut: &&EarlierCut| cut.last_row_number_by_view.get(view_index).is_some_and(|&last| last <= last_stored);
        let cut = manifest.earlier_cuts.iter().rev().find(has_only_stored_rows);
        // A window fires when the watermark reaches its last millisecond, one millisecond before its end.
        let window_end = |watermark_ms: i64| watermark_ms + 1;
        Some(MissingRows {
            partition: manifest.partition,
            view_name: count.view,
            first_row_number: last_stored + 1,
            last_row_number: count.last_row_number,
            first_offset: cut.map(|cut| cut.offset),
            end_offset: manifest.offset,
            windows_ended_after_ms: cut.and_then(|cut| cut.watermark_ms).map(window_end),
            windows_ended_by_ms: manifest.watermark_ms.map(window_end),
        })
    };
    manifest.counted_rows().enumerate().filter_map(describe).collect()
}
