//! Slots: small numbers by which every table of a shard finds an entity's state.

/// The index of an entity's state in every table of a shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct EntitySlot(pub(crate) u32);

impl EntitySlot {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the slot at `index` of a table.
    #[allow(clippy::cast_possible_truncation)] // 2³² entities do not fit in memory
    pub(crate) const fn at(index: usize) -> Self {
        Self(index as u32)
    }
}
