//! A checkpoint thread's data about one partition: the kept checkpoints, and the draft of the next one.

use windrow_core::SnapshotScope;

use super::manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart};
use super::messages::SnapshotFailure;
use super::opened_partition::{OpenedPartition, RestoredPartition};
use crate::identifiers::Epoch;

/// The maximum number of layers. A new base is also written once the deltas are as large as the base.
const MAX_LAYERS: usize = 20;

/// The data about one partition's checkpoints.
#[derive(Debug, Default)]
pub(super) struct PartitionCheckpoints {
    /// The restored partition, until the claim at the fence.
    pub(super) restored_partition: Option<RestoredPartition>,
    /// The manifests of the kept checkpoints, oldest first. Deltas extend the last one.
    kept_manifests: Vec<CheckpointManifest>,
    next_checkpoint_number: u64,
    origin_savepoint_place: Option<String>,
    draft: Option<CheckpointDraft>,
}

/// A snapshot whose pieces are being written as state objects.
#[derive(Debug)]
pub(super) struct CheckpointDraft {
    pub(super) id: CheckpointId,
    /// The state objects that are written.
    pub(super) written_parts: Vec<StatePart>,
    /// The reason why the draft cannot become a checkpoint.
    pub(super) failure: Option<SnapshotFailure>,
}

impl PartitionCheckpoints {
    /// Creates the data of a partition that was restored.
    pub(super) fn for_restored_partition(restored: RestoredPartition) -> Self {
        Self { restored_partition: Some(restored), ..Self::default() }
    }

    /// Creates the data of a partition that was opened, and moves the kept manifests out of `partition`.
    pub(super) fn for_opened_partition(partition: &mut OpenedPartition) -> Self {
        Self {
            restored_partition: None,
            kept_manifests: std::mem::take(&mut partition.kept_manifests),
            next_checkpoint_number: partition.next_checkpoint_number,
            origin_savepoint_place: partition
                .restored_from
                .as_ref()
                .and_then(|restored| restored.origin_savepoint_place.clone()),
            draft: None,
        }
    }

    /// Takes the current draft, or begins a new one in `epoch`.
    pub(super) fn take_or_begin_draft(&mut self, epoch: Epoch) -> CheckpointDraft {
        self.draft.take().unwrap_or_else(|| {
            // A number is never reused, even if its checkpoint fails: objects with that number may exist.
            let id = CheckpointId { epoch, number: self.next_checkpoint_number };
            self.next_checkpoint_number += 1;
            CheckpointDraft { id, written_parts: Vec::new(), failure: None }
        })
    }

    /// Stores `draft` as the current draft.
    pub(super) fn put_draft(&mut self, draft: CheckpointDraft) {
        self.draft = Some(draft);
    }

    /// Discards the current draft.
    pub(super) fn discard_draft(&mut self) {
        self.draft = None;
    }

    /// Returns the layers of a checkpoint whose newest layer is `layer`.
    pub(super) fn build_layers_ending_with(
        &self,
        scope: SnapshotScope,
        layer: CheckpointLayer,
    ) -> Vec<CheckpointLayer> {
        let mut layers = match (scope, self.kept_manifests.last()) {
            (SnapshotScope::Changes, Some(last)) => last.layers.clone(),
            _ => Vec::new(),
        };
        layers.push(layer);
        layers
    }

    /// Returns the place of the savepoint that the job began from.
    pub(super) fn origin_savepoint_place(&self) -> Option<String> {
        self.origin_savepoint_place.clone()
    }

    /// Adds a completed checkpoint and removes all but the `generations` newest. Returns the kept manifests, oldest
    /// first.
    pub(super) fn add_completed_manifest(
        &mut self,
        manifest: CheckpointManifest,
        generations: usize,
    ) -> &[CheckpointManifest] {
        self.kept_manifests.push(manifest);
        let excess = self.kept_manifests.len().saturating_sub(generations);
        self.kept_manifests.drain(..excess);
        &self.kept_manifests
    }

    /// Returns whether the next snapshot is a base or a delta. Deltas are written only while they are smaller than the
    /// base.
    pub(super) fn choose_next_snapshot_scope(&self) -> SnapshotScope {
        let Some(last) = self.kept_manifests.last() else { return SnapshotScope::Everything };
        let Some((base, deltas)) = last.layers.split_first() else { return SnapshotScope::Everything };
        let delta_bytes = deltas.iter().map(CheckpointLayer::byte_count).sum::<u64>();
        if last.layers.len() < MAX_LAYERS && delta_bytes < base.byte_count() {
            SnapshotScope::Changes
        } else {
            SnapshotScope::Everything
        }
    }
}
