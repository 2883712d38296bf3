//! Positions and ranges of offsets in the log of a partition.

use crate::identifiers::{LeaderEpoch, Offset};

/// A place in the log of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogPosition {
    /// The offset of the next record.
    pub offset: Offset,
    /// The leader epoch of the record before `offset`; `None` if unknown.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl LogPosition {
    /// Returns whether the records before this position are among the `shared` records of
    /// [`crate::LogHistory::find_shared_offsets`].
    pub(crate) const fn is_within(self, shared: HeldOffsets) -> bool {
        self.offset <= shared.end_offset
    }
}

/// The offsets of a partition that the source holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldOffsets {
    /// The offset of the oldest record.
    pub first_offset: Offset,
    /// The offset after the newest record.
    pub end_offset: Offset,
}

impl HeldOffsets {
    /// Returns whether reading can start at `offset` without a gap.
    #[must_use]
    pub const fn contains_offset(self, offset: Offset) -> bool {
        self.first_offset <= offset && offset <= self.end_offset
    }

    /// Returns these offsets without those from `other.end_offset` on. The records there are not those that were read
    /// before.
    #[must_use]
    pub(crate) fn ending_no_later_than(self, other: Self) -> Self {
        Self { end_offset: self.end_offset.min(other.end_offset), ..self }
    }
}
