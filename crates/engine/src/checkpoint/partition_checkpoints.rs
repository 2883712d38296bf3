//! What a checkpoint thread knows of one partition: its kept checkpoints, and the draft of the next one.

use windrow_core::SnapshotScope;

use super::manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart};
use super::messages::SnapshotFailure;
use super::opened_partition::{OpenedPartition, RestoredPartition};
use crate::identifiers::Epoch;

/// A base is written again when the deltas behind it have become as large as it, or this many layers are there.
const MAX_LAYERS: usize = 20;

/// The checkpoints of one partition.
#[derive(Debug, Default)]
pub(super) struct PartitionCheckpoints {
    /// Restored, and not yet claimed at the fence.
    pub(super) restored: Option<RestoredPartition>,
    /// Manifests that are kept, oldest first; deltas are added to the last one.
    kept_manifests: Vec<CheckpointManifest>,
    next_number: u64,
    savepoint_place: Option<String>,
    draft: Option<CheckpointDraft>,
}

/// A snapshot whose pieces are being written.
#[derive(Debug)]
pub(super) struct CheckpointDraft {
    pub(super) id: CheckpointId,
    /// The pieces that are written.
    pub(super) parts: Vec<StatePart>,
    /// Why it cannot become a checkpoint.
    pub(super) failure: Option<SnapshotFailure>,
}

impl PartitionCheckpoints {
    /// Those of a partition that was restored.
    pub(super) fn restored(restored: RestoredPartition) -> Self {
        Self { restored: Some(restored), ..Self::default() }
    }

    /// Those of a partition that was opened; takes its manifests.
    pub(super) fn opened(partition: &mut OpenedPartition) -> Self {
        Self {
            restored: None,
            kept_manifests: std::mem::take(&mut partition.kept_manifests),
            next_number: partition.next_number,
            savepoint_place: partition.restored_from.as_ref().and_then(|restored| restored.savepoint_place.clone()),
            draft: None,
        }
    }

    /// Takes the draft under way, or begins one in `epoch`.
    pub(super) fn take_draft(&mut self, epoch: Epoch) -> CheckpointDraft {
        self.draft.take().unwrap_or_else(|| {
            // A number is used once, also where its checkpoint fails: objects of that number may exist.
            let id = CheckpointId { epoch, number: self.next_number };
            self.next_number += 1;
            CheckpointDraft { id, parts: Vec::new(), failure: None }
        })
    }

    /// Keeps `draft` under way.
    pub(super) fn put_draft(&mut self, draft: CheckpointDraft) {
        self.draft = Some(draft);
    }

    /// Discards the draft under way.
    pub(super) fn discard_draft(&mut self) {
        self.draft = None;
    }

    /// Returns the layers of a checkpoint whose newest one is `layer`.
    pub(super) fn add_layer(&self, scope: SnapshotScope, layer: CheckpointLayer) -> Vec<CheckpointLayer> {
        let mut layers = match (scope, self.kept_manifests.last()) {
            (SnapshotScope::Changes, Some(last)) => last.layers.clone(),
            _ => Vec::new(),
        };
        layers.push(layer);
        layers
    }

    /// The savepoint that this partition's job began from.
    pub(super) fn savepoint_place(&self) -> Option<String> {
        self.savepoint_place.clone()
    }

    /// Keeps a completed checkpoint, and the `generations` newest of all. Returns them, oldest first.
    pub(super) fn keep_manifest(&mut self, manifest: CheckpointManifest, generations: usize) -> &[CheckpointManifest] {
        self.kept_manifests.push(manifest);
        let excess = self.kept_manifests.len().saturating_sub(generations);
        self.kept_manifests.drain(..excess);
        &self.kept_manifests
    }

    /// What the next checkpoint must hold: deltas are used only as long as they stay smaller than the base.
    pub(super) fn next_scope(&self) -> SnapshotScope {
        let Some(last) = self.kept_manifests.last() else { return SnapshotScope::Everything };
        let Some((base, deltas)) = last.layers.split_first() else { return SnapshotScope::Everything };
        let delta_bytes = deltas.iter().map(CheckpointLayer::bytes).sum::<u64>();
        if last.layers.len() < MAX_LAYERS && delta_bytes < base.bytes() {
            SnapshotScope::Changes
        } else {
            SnapshotScope::Everything
        }
    }
}
