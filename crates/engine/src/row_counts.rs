//! The rows that a partition has produced, counted for each view. A checkpoint and the fence of a row store have such
//! counts. Their comparison shows which rows the row store has, and which it lacks.

use crate::LogPosition;
use crate::identifiers::Offset;

/// The number of rows that a partition has produced for one feature view.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViewRowCount {
    /// The name of the view.
    pub view: String,
    /// A hash of the topic, the views, the decoding rules and the offset at which row counting started. The row numbers
    /// of two runs are comparable only if the runs have the same fingerprint.
    pub row_numbering_fingerprint: u64,
    /// The number of the last row that the partition has produced for the view; 0 before the first row.
    pub last_row_number: u64,
}

/// The rows of a partition that a row store has, as its fence tells them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRows {
    /// For each view, the last row that the row store has.
    pub row_counts: Vec<ViewRowCount>,
    /// The rows of all records before this position have been written, in the numbering of the fence; `None` if unknown.
    pub read_position: Option<LogPosition>,
}

/// The rows of one view that a checkpoint counts, with all numberings by which the row store may know them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountedRows {
    /// The position of the first record that the checkpoint does not include.
    pub checkpoint_position: LogPosition,
    /// The row count of the checkpoint.
    pub newest_numbering: ViewRowCount,
    /// The numberings before, newest first. Each has the number of the last row that the checkpoint includes of it.
    pub former_numberings: Vec<ViewRowCount>,
    /// The row counts of earlier checkpoints in the newest numbering, oldest first.
    pub earlier_counts: Vec<EarlierRowCount>,
}

/// The rows of a view before an earlier checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EarlierRowCount {
    /// The offset of the first record that the earlier checkpoint did not include.
    pub offset: Offset,
    /// The number of the last row before it.
    pub last_row_number: u64,
}

impl CountedRows {
    /// Returns how many of these rows are missing in the row store. Without a fence (`None`), all rows are missing: the row
    /// store may have removed some of them before, because their time to live had ended.
    ///
    /// The row store may know none of the numberings: an owner began a new one, and completed no checkpoint. Then the
    /// rows up to the position of the fence have been written in that numbering. If the position lies before the
    /// checkpoint, that owner had gone back because of lost rows, and all rows behind the position may be missing. If its
    /// records have been lost, all rows may be missing.
    #[must_use]
    pub fn count_missing_in(&self, stored: Option<&StoredRows>) -> u64 {
        let last = self.newest_numbering.last_row_number;
        let Some(stored) = stored else { return last };
        let mut numberings = std::iter::once(&self.newest_numbering).chain(&self.former_numberings);
        let known = numberings.find_map(|numbering| {
            let stored = numbering.find_comparable_count(&stored.row_counts)?;
            Some(stored.last_row_number.min(numbering.last_row_number))
        });
        let known = known.or_else(|| Some(self.last_row_number_written_before(stored.read_position?)));
        known.map_or(0, |known| last.saturating_sub(known))
    }

    /// Returns the number of the last row that has been written if the rows of all records before `read_position` have
    /// been written in another numbering.
    fn last_row_number_written_before(&self, read_position: LogPosition) -> u64 {
        let LogPosition { offset, leader_epoch } = self.checkpoint_position;
        if let (Some(read_epoch), Some(checkpoint_epoch)) = (read_position.leader_epoch, leader_epoch)
            && read_epoch < checkpoint_epoch
        {
            // Leader epochs never fall from one record to the next. If the position lies behind the checkpoint, its
            // records were lost, and others have their offsets now. If it lies before, they may have been lost.
            return 0;
        }
        if read_position.offset < offset {
            self.last_row_number_before(read_position.offset)
        } else {
            self.newest_numbering.last_row_number
        }
    }

    /// Returns the number of a row that was certainly written before the record at `offset` was read, the largest that is
    /// known; 0 if none is.
    fn last_row_number_before(&self, offset: Offset) -> u64 {
        let earlier = self.earlier_counts.iter().rev().find(|earlier| earlier.offset <= offset);
        earlier.map_or(0, |earlier| earlier.last_row_number)
    }
}

impl ViewRowCount {
    /// Returns the row count in `stored` that is comparable with this one; `None` if there is none. Two row counts are
    /// comparable if they have the same view and the same fingerprint.
    #[must_use]
    pub fn find_comparable_count<'a>(&self, stored: &'a [ViewRowCount]) -> Option<&'a ViewRowCount> {
        let same_view = stored.iter().find(|known| known.view == self.view);
        same_view.filter(|known| known.row_numbering_fingerprint == self.row_numbering_fingerprint)
    }
}
