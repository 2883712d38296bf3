//! A worker's claim to a partition, and the decision whether the stored fence permits the claim.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use windrow_engine::{ClaimOutcome, ClockDecisions, Epoch, LogPosition, MissingRowsPolicy, PartitionClaim, StoredRows};

use super::value::FenceValue;

/// A claim that waits in the queue. The claiming worker and the writer thread share this value.
#[derive(Debug)]
pub(crate) struct PendingClaim {
    pub(crate) claim: PartitionClaim,
    outcome: Mutex<Option<ClaimOutcome>>,
    abandoned: AtomicBool,
}

impl PendingClaim {
    pub(crate) fn new(claim: PartitionClaim) -> Self {
        Self { claim, outcome: Mutex::new(None), abandoned: AtomicBool::new(false) }
    }

    pub(crate) fn set_outcome(&self, outcome: ClaimOutcome) {
        *self.outcome.lock() = Some(outcome);
    }

    pub(crate) fn take_outcome(&self) -> Option<ClaimOutcome> {
        self.outcome.lock().take()
    }

    /// Records that the worker no longer waits for the outcome.
    pub(crate) fn mark_no_longer_awaited(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    /// Returns whether the worker still waits for the outcome.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.abandoned.load(Ordering::Acquire)
    }
}

/// The decision about a claim. It depends on the fence that Redis holds, the stored fence.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum ClaimDecision {
    /// The claim is granted, and the fence in Redis gets this value.
    Grant(FenceValue),
    /// The claim is refused. The value is the epoch of the stored fence, which is equal to or larger than the epoch of
    /// the claim.
    Stale(Epoch),
    /// The claim is refused, because Redis lacks rows that the claim counts.
    RowsMissing {
        /// What the stored fence tells; `None` if there is no fence.
        stored_rows: Option<StoredRows>,
    },
}

/// Decides whether the fence `stored` permits `claim`, and computes the new fence. For each view, the new fence has the
/// larger of the row counts in `stored` and `claim`, and the later position. If the two row counts are not comparable, the
/// new fence has the row count and the position of the claim. If no row counts are comparable, the rows will be written
/// again, and the new fence has no decisions of the wall clock. A claim that refuses missing rows is not granted if Redis lacks rows that it counts.
pub(crate) fn decide_claim(stored: Option<&FenceValue>, claim: &PartitionClaim) -> ClaimDecision {
    if let Some(stored) = stored.filter(|stored| stored.epoch >= claim.epoch) {
        return ClaimDecision::Stale(stored.epoch);
    }
    let stored_rows = stored.map(FenceValue::stored_rows);
    if claim.missing_rows == MissingRowsPolicy::RefuseClaim && claim.count_missing_rows(stored_rows.as_ref()) > 0 {
        return ClaimDecision::RowsMissing { stored_rows };
    }
    let (mut row_counts, mut read_position) = (claim.row_counts.clone(), claim.read_position);
    let mut clock_decisions = ClockDecisions::default();
    for count in &mut row_counts {
        if let Some(stored) = stored
            && let Some(known) = count.find_comparable_count(&stored.row_counts)
        {
            count.last_row_number = count.last_row_number.max(known.last_row_number);
            clock_decisions.clone_from(&stored.clock_decisions);
            let is_newer = |position: &LogPosition| read_position.is_none_or(|read| read.offset < position.offset);
            read_position = stored.read_position.filter(is_newer).or(read_position);
        }
    }
    ClaimDecision::Grant(FenceValue { epoch: claim.epoch, read_position, clock_decisions, row_counts })
}

#[cfg(test)]
mod tests {
    use windrow_engine::{CountedRows, EarlierRowCount, ViewRowCount};

    use super::*;

    fn count(view: &str, beginning: u64, rows: u64) -> ViewRowCount {
        ViewRowCount { view: view.to_owned(), row_numbering_fingerprint: beginning, last_row_number: rows }
    }

    fn decisions() -> ClockDecisions {
        ClockDecisions { known_from: 4, decisions: Vec::new() }
    }

    /// The rows of a checkpoint at offset 28, which follows one at offset 7 with a single row.
    fn counted_rows(newest_numbering: ViewRowCount, former_numberings: Vec<ViewRowCount>) -> CountedRows {
        let earlier_counts = vec![EarlierRowCount { offset: 7, last_row_number: 1 }];
        let checkpoint_position = LogPosition { offset: 28, leader_epoch: Some(3) };
        CountedRows { checkpoint_position, newest_numbering, former_numberings, earlier_counts }
    }

    fn stored_rows(count: &ViewRowCount, read_position: Option<LogPosition>) -> StoredRows {
        StoredRows { row_counts: vec![count.clone()], read_position }
    }

    /// The rows of a checkpoint at offset 7 with the numbering of `row_counts`, and none before.
    fn counted(row_counts: &[ViewRowCount]) -> Vec<CountedRows> {
        let rows = |count: &ViewRowCount| CountedRows {
            checkpoint_position: LogPosition { offset: 7, leader_epoch: Some(1) },
            ..counted_rows(count.clone(), Vec::new())
        };
        row_counts.iter().map(rows).collect()
    }

    /// The row store has gone back to a time before the rows were numbered in a new way.
    #[test]
    fn rows_are_missing_across_a_change_of_numbering() {
        for (stored, missing) in [(count("a", 2, 120), 0), (count("a", 1, 100), 20), (count("a", 1, 115), 10)] {
            let rows = counted_rows(count("a", 2, 120), vec![count("a", 1, 110)]);
            assert_eq!(rows.count_missing_in(Some(&stored_rows(&stored, None))), missing, "{stored:?}");
        }
    }

    /// An owner went back to an older checkpoint because of lost rows, with a new numbering, and completed no checkpoint.
    /// Its fence hides the loss, unless its position is compared. Records of an older leader epoch at the same offsets were
    /// lost.
    #[test]
    fn an_unknown_numbering_tells_by_its_position_which_rows_may_be_missing() {
        let rows = counted_rows(count("a", 1, 13), Vec::new());
        for (offset, leader_epoch, missing) in [
            (28, Some(3), 0),
            (40, Some(4), 0),
            (40, None, 0),
            (27, Some(3), 12),
            (7, None, 12),
            (6, Some(3), 13),
            (40, Some(2), 13),
            (27, Some(2), 13),
        ] {
            let read_position = LogPosition { offset, leader_epoch };
            let stored = stored_rows(&count("a", 2, 1), Some(read_position));
            assert_eq!(rows.count_missing_in(Some(&stored)), missing, "{read_position:?}");
        }
        // A fence of an older version has no position.
        assert_eq!(rows.count_missing_in(Some(&stored_rows(&count("a", 2, 1), None))), 0);
    }

    #[test]
    fn a_claim_keeps_what_was_counted_since_the_same_epoch() {
        let position = |offset| Some(LogPosition { offset, leader_epoch: Some(1) });
        let row_counts = vec![count("a", 1, 10), count("b", 1, 10), count("gone", 1, 10)];
        let stored = FenceValue { epoch: 5, read_position: position(9), clock_decisions: decisions(), row_counts };
        let row_counts = vec![count("b", 4, 3), count("new", 6, 0), count("a", 1, 7)];
        let mut claim = PartitionClaim {
            partition: 0,
            epoch: 6,
            checkpoint_rows: counted(&row_counts),
            row_counts,
            read_position: position(7),
            missing_rows: MissingRowsPolicy::RefuseClaim,
        };
        let granted = vec![count("b", 4, 3), count("new", 6, 0), count("a", 1, 10)];
        assert_eq!(
            decide_claim(Some(&stored), &claim),
            ClaimDecision::Grant(FenceValue {
                epoch: 6,
                read_position: position(9),
                clock_decisions: decisions(),
                row_counts: granted
            })
        );
        let unowned = FenceValue {
            epoch: 6,
            read_position: position(7),
            clock_decisions: ClockDecisions::default(),
            row_counts: claim.row_counts.clone(),
        };
        assert_eq!(decide_claim(None, &claim), ClaimDecision::RowsMissing { stored_rows: None });
        claim.missing_rows = MissingRowsPolicy::GrantClaim;
        assert_eq!(decide_claim(None, &claim), ClaimDecision::Grant(unowned));
        for epoch in [4, 5] {
            claim.epoch = epoch;
            assert_eq!(decide_claim(Some(&stored), &claim), ClaimDecision::Stale(5));
        }
    }

    #[test]
    fn a_claim_that_counts_more_rows_than_the_fence_is_refused() {
        let row_counts = vec![count("a", 1, 10), count("b", 1, 10)];
        let stored =
            FenceValue { epoch: 5, read_position: None, clock_decisions: ClockDecisions::default(), row_counts };
        let refuse = MissingRowsPolicy::RefuseClaim;
        for (row_counts, missing) in [
            (vec![count("a", 1, 10), count("b", 1, 10)], 0),
            (vec![count("a", 1, 12), count("b", 1, 3)], 2),
            // The numbers of another numbering say nothing about the rows in Redis.
            (vec![count("a", 2, 12), count("new", 1, 3)], 0),
        ] {
            let checkpoint_rows = counted(&row_counts);
            let claim = PartitionClaim {
                partition: 0,
                epoch: 6,
                row_counts,
                checkpoint_rows,
                read_position: None,
                missing_rows: refuse,
            };
            assert_eq!(claim.count_missing_rows(Some(&stored.stored_rows())), missing);
            let is_refused = matches!(decide_claim(Some(&stored), &claim), ClaimDecision::RowsMissing { .. });
            assert_eq!(is_refused, missing > 0, "{claim:?}");
        }
    }
}
