//! Slots: the indexes under which the tables of a shard store an entity's state.

/// The index of an entity's state in every table of a shard.
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
