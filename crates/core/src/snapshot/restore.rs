//! Putting a shard together again from the layers of its snapshots.
//!
//! Owns: the order of steps and what makes bytes implausible. Does not own: how each table reads its records (the tables).
//! Invariant: bytes that were not written by a shard of these views give an error, never a panic.

use super::wire::Reader;
use super::{Damaged, KEYS, ShardFacts};
use crate::{Shard, Watermark};

/// A shard that is being put together: every layer in its order, then [`Restoring::finish`].
#[derive(Debug)]
pub struct Restoring {
    shard: Shard,
    slots: u32,
    views: Vec<Option<usize>>,
}

impl Restoring {
    /// Begins with `empty`, a new shard, for state of `slots` slots. `views` says for every view of the saved state which
    /// view of the shard it is; `None` drops it.
    #[must_use]
    pub fn new(empty: Shard, slots: u32, views: Vec<Option<usize>>) -> Self {
        Self { shard: empty, slots, views }
    }

    /// Adds a piece of a layer; the pieces come in the order in which they were saved.
    ///
    /// # Errors
    /// When the bytes are not a snapshot's.
    pub fn apply(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        let mut blocks = Reader::new(bytes);
        while !blocks.is_empty() {
            let (table, records) = (blocks.number()?, Reader::new(blocks.bytes()?));
            if table == KEYS {
                self.shard.entities.load(self.slots, records)?;
                continue;
            }
            let view = usize::try_from(table - 1).ok().and_then(|view| self.views.get(view));
            if let Some(view) = view.ok_or(Damaged("a view that the state does not have"))? {
                self.shard.views[*view].load(self.slots, records)?;
            }
        }
        Ok(())
    }

    /// The shard, its watermark and the numbers of its views' rows as `facts` say: `facts.rows` in the shard's order.
    ///
    /// # Errors
    /// When the layers do not fit together.
    pub fn finish(mut self, facts: &ShardFacts) -> Result<Shard, Damaged> {
        let watermark = facts.watermark.unwrap_or(Watermark::BEFORE_ALL);
        self.shard.watermark.resume(watermark);
        for (view, &rows) in self.shard.views.iter_mut().zip(&facts.rows) {
            view.resume(&mut self.shard.entities, rows, watermark);
        }
        self.shard.entities.resume(self.slots)?;
        Ok(self.shard)
    }
}

/// Reads the records of one block: the distance to each record's slot, which must be below `slots`, and what `read` makes
/// of the rest.
pub(crate) fn records<'a>(
    slots: u32,
    mut reader: Reader<'a>,
    mut read: impl FnMut(usize, &mut Reader<'a>) -> Result<(), Damaged>,
) -> Result<(), Damaged> {
    let mut last = 0_i64;
    while !reader.is_empty() {
        last = last.wrapping_add(reader.signed()?);
        let slot = usize::try_from(last).ok().filter(|_| last < i64::from(slots));
        read(slot.ok_or(Damaged("a slot outside the table"))?, &mut reader)?;
    }
    Ok(())
}
