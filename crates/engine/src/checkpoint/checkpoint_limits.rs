//! What the checkpoint must fulfil that a partition continues from, and which checkpoint is best.
//!
//! The newest checkpoint is best. If the row store has lost rows that it counts, the newest checkpoint that counts no
//! lost rows is best. If the source has lost records, the checkpoint must begin at an offset that the source still holds.

use super::manifest::CheckpointManifest;
use crate::{HeldOffsets, StoredRows};

/// What the checkpoint that a partition continues from must fulfil. Without limits, the newest checkpoint is best.
#[derive(Clone, Default, Debug)]
pub(super) struct CheckpointLimits {
    /// The offsets that the source still holds; `None` if unknown. Other checkpoints are not restored.
    pub(super) held_offsets: Option<HeldOffsets>,
    /// The rows that the row store holds; `None` if it was not asked. A checkpoint that counts no other rows is better.
    /// If there is none, the oldest checkpoint is best, because the fewest rows are missing then.
    pub(super) row_store_answer: Option<RowStoreAnswer>,
}

/// What the row store answered when it was asked for the rows of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RowStoreAnswer {
    /// What the partition's fence tells; `None` if there is no fence.
    pub(super) stored_rows: Option<StoredRows>,
}

impl RowStoreAnswer {
    /// Returns whether the row store holds all rows that `manifest` counts, as far as is known.
    pub(super) fn include_rows_of(&self, manifest: &CheckpointManifest) -> bool {
        manifest.counted_rows().all(|rows| rows.count_missing_in(self.stored_rows.as_ref()) == 0)
    }
}

impl CheckpointLimits {
    /// Returns those of `manifests` from which the partition may continue, best first. `manifests` are sorted, newest
    /// first.
    pub(super) fn rank_manifests<'a>(&self, manifests: &'a [CheckpointManifest]) -> Vec<&'a CheckpointManifest> {
        let is_held =
            |manifest: &&CheckpointManifest| self.held_offsets.is_none_or(|held| held.contains_offset(manifest.offset));
        let (mut best, others): (Vec<_>, Vec<_>) = manifests
            .iter()
            .filter(is_held)
            .partition(|manifest| self.row_store_answer.as_ref().is_none_or(|answer| answer.include_rows_of(manifest)));
        best.extend(others.into_iter().rev());
        best
    }
}
