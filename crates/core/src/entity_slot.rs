//! Slots: every entity with state has one slot, an index that is the same in all tables of a shard.

/// The index at which every table of a shard stores the state of one entity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct EntitySlot(pub(crate) u32);

impl EntitySlot {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the slot at `index` of a table.
    #[allow(clippy::cast_possible_truncation)] // 2³² entities do not fit in memory
    pub(crate) const fn from_index(index: usize) -> Self {
        Self(index as u32)
    }
}
