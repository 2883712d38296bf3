//! The rows that a partition has produced, counted for each view. A checkpoint and the fence of a row store have such
//! counts. Their comparison shows which rows the row store has, and which it lacks.

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

/// The rows of one view that a checkpoint counts, with all numberings by which the row store may know them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountedRows {
    /// The row count of the checkpoint.
    pub newest_numbering: ViewRowCount,
    /// The numberings before, newest first. Each has the number of the last row that the checkpoint includes of it.
    pub former_numberings: Vec<ViewRowCount>,
}

impl CountedRows {
    /// Returns how many of these rows are missing in the row store. `stored` holds the row counts of the partition's
    /// fence. Without a fence, all rows are missing: the row store may have removed some of them before, because their
    /// time to live had ended. Returns 0 if the row store knows none of the numberings, because nothing is known about
    /// the rows then.
    #[must_use]
    pub fn count_missing_in(&self, stored: Option<&[ViewRowCount]>) -> u64 {
        let last = self.newest_numbering.last_row_number;
        let Some(stored) = stored else { return last };
        let mut numberings = std::iter::once(&self.newest_numbering).chain(&self.former_numberings);
        let known = numberings.find_map(|numbering| {
            let stored = numbering.find_comparable_count(stored)?;
            Some(stored.last_row_number.min(numbering.last_row_number))
        });
        known.map_or(0, |known| last.saturating_sub(known))
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
