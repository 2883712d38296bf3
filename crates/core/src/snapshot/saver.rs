//! What of one table (the entity keys, or one view's state) is to be saved, and what has been.
//!
//! Owns: three sets of slots, the walk over them, the bytes saved so far. Does not own: what a slot's record looks like
//! (whoever owns the table passes that in).
//! Invariants: (1) a slot changes only after [`Saver::touch`] or [`Saver::remove_from`] was asked, and saved where they
//! said so; (2) until a snapshot is settled, what it took is not forgotten: one that fails is made up for by the next.

use fixedbitset::FixedBitSet;

use super::{Scope, wire};
use crate::entities::Slot;

#[derive(Debug, Default)]
pub(crate) struct Saver {
    /// Slots that events have touched since the last cut.
    changed: FixedBitSet,
    /// Slots of the snapshot under way that are not saved yet.
    pending: FixedBitSet,
    /// What `changed` held at the cut of the snapshot under way.
    taken: FixedBitSet,
    /// No slot below it is pending.
    walked: usize,
    saved: Vec<u8>,
    /// The slot of the last record in `saved`.
    last: i64,
}

impl Saver {
    /// An event is about to change `slot`; whether it must be saved first.
    pub(crate) fn touch(&mut self, slot: Slot) -> bool {
        self.changed.grow_and_insert(slot.index());
        self.remove_from(slot)
    }

    /// Firing is about to remove something from `slot`, which the watermark will tell; whether it must be saved first.
    pub(crate) fn remove_from(&mut self, slot: Slot) -> bool {
        let pending = self.pending.contains(slot.index());
        if pending {
            self.pending.remove(slot.index());
        }
        pending
    }

    /// Begins a snapshot of a table of `slots` slots.
    pub(crate) fn cut(&mut self, scope: Scope, slots: usize) {
        self.taken = std::mem::take(&mut self.changed);
        self.pending = match scope {
            Scope::Changes => self.taken.clone(),
            Scope::Everything => {
                let mut all = FixedBitSet::with_capacity(slots);
                all.insert_range(..);
                all
            }
        };
        self.walked = 0;
        self.saved.clear();
        self.last = 0;
    }

    /// The next slot to be saved, which is then no longer pending.
    pub(crate) fn next(&mut self) -> Option<Slot> {
        const BITS: usize = usize::BITS as usize;
        let words = self.pending.as_slice();
        let word = (self.walked / BITS..words.len()).find(|&word| words[word] != 0)?;
        self.walked = word * BITS + words[word].trailing_zeros() as usize;
        self.pending.remove(self.walked);
        #[allow(clippy::cast_possible_truncation)] // slots are 32 bits wide
        Some(Slot(self.walked as u32))
    }

    /// Saves `slot`'s record; its bytes.
    pub(crate) fn record(&mut self, slot: Slot, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let before = self.saved.len();
        wire::put_signed(&mut self.saved, i64::from(slot.0) - self.last);
        self.last = i64::from(slot.0);
        write(&mut self.saved);
        self.saved.len() - before
    }

    /// Bytes saved and not collected.
    pub(crate) fn saved_bytes(&self) -> usize {
        self.saved.len()
    }

    /// Moves what has been saved into `out`, as a block of `table`.
    pub(crate) fn collect(&mut self, table: u64, out: &mut Vec<u8>) {
        if !self.saved.is_empty() {
            wire::put(out, table);
            wire::put_bytes(out, &self.saved);
            self.saved.clear();
            self.last = 0;
        }
    }

    /// Ends the snapshot under way, saved or not. Where it was not `kept`, the next one takes its slots too.
    pub(crate) fn settle(&mut self, kept: bool) {
        let taken = std::mem::take(&mut self.taken);
        if !kept {
            self.changed.union_with(&taken);
        }
        self.pending = FixedBitSet::new();
        self.saved = Vec::new();
    }
}
