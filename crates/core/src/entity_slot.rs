//! The slot of an entity: the index at which every table of a shard stores the state of the entity.

/// The index of one entity, the same in all tables of a shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct EntitySlot(pub(crate) u32);

impl EntitySlot {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the slot with the index `index`.
    #[expect(clippy::cast_possible_truncation, reason = "2³² entities do not fit in memory")]
    pub(crate) const fn from_index(index: usize) -> Self {
        Self(index as u32)
    }
}
