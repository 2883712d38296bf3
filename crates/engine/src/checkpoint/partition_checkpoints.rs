//! A checkpoint thread's data about one partition: the kept checkpoints, and the draft of the next one.

use windrow_core::BaseOrDelta;

use super::manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart};
use super::opened_partition::{OpenedPartition, RestoredPartition};
use super::thread_messages::SnapshotFailure;
use crate::identifiers::Epoch;

/// The maximum number of layers in a checkpoint. After that many layers, the next snapshot is a base.
const MAX_LAYERS_PER_CHECKPOINT: usize = 20;

/// The kept checkpoints of one partition, and the draft of its next checkpoint.
#[derive(Debug, Default)]
pub(super) struct PartitionCheckpoints {
    /// The restored partition; `None` after its claim at the fence.
    pub(super) restored_partition: Option<RestoredPartition>,
    /// The manifests of the kept checkpoints, oldest first. A delta is added to the layers of the newest one.
    kept_manifests: Vec<CheckpointManifest>,
    next_checkpoint_number: u64,
    origin_savepoint_place: Option<String>,
    draft: Option<CheckpointDraft>,
}

/// A snapshot whose pieces are being written as state objects.
#[derive(Debug)]
pub(super) struct CheckpointDraft {
    pub(super) checkpoint_id: CheckpointId,
    /// The state objects that are already written.
    pub(super) written_parts: Vec<StatePart>,
    /// The write that failed, so that the draft cannot become a checkpoint; `None` without a failure.
    pub(super) write_failure: Option<SnapshotFailure>,
}

impl PartitionCheckpoints {
    /// Creates the data of a partition that was restored but is not claimed at the fence.
    pub(super) fn for_restored_partition(restored: RestoredPartition) -> Self {
        Self { restored_partition: Some(restored), ..Self::default() }
    }

    /// Creates the data of an opened partition, and takes the kept manifests out of `partition`.
    pub(super) fn for_opened_partition(partition: &mut OpenedPartition) -> Self {
        Self {
            restored_partition: None,
            kept_manifests: std::mem::take(&mut partition.kept_manifests),
            next_checkpoint_number: partition.next_checkpoint_number,
            origin_savepoint_place: partition
                .restored_checkpoint
                .as_ref()
                .and_then(|restored| restored.origin_savepoint_place.clone()),
            draft: None,
        }
    }

    /// Takes the current draft, or begins a new one in `epoch`.
    pub(super) fn take_or_begin_draft(&mut self, epoch: Epoch) -> CheckpointDraft {
        self.draft.take().unwrap_or_else(|| {
            // A number is never reused, because a failed checkpoint may have left objects with its number.
            let id = CheckpointId { epoch, checkpoint_number: self.next_checkpoint_number };
            self.next_checkpoint_number += 1;
            CheckpointDraft { checkpoint_id: id, written_parts: Vec::new(), write_failure: None }
        })
    }

    /// Puts `draft` back as the current draft.
    pub(super) fn put_draft(&mut self, draft: CheckpointDraft) {
        self.draft = Some(draft);
    }

    pub(super) fn discard_draft(&mut self) {
        self.draft = None;
    }

    /// Returns all layers of a checkpoint whose newest layer is `layer`. A delta follows the layers of the newest kept
    /// checkpoint, and a base stands alone.
    pub(super) fn build_layers_ending_with(
        &self,
        base_or_delta: BaseOrDelta,
        layer: CheckpointLayer,
    ) -> Vec<CheckpointLayer> {
        let mut layers = match (base_or_delta, self.kept_manifests.last()) {
            (BaseOrDelta::Delta, Some(last)) => last.layers.clone(),
            _ => Vec::new(),
        };
        layers.push(layer);
        layers
    }

    /// Returns the place of the savepoint that the job began from.
    pub(super) fn origin_savepoint_place(&self) -> Option<String> {
        self.origin_savepoint_place.clone()
    }

    /// Adds the manifest of a completed checkpoint, and keeps only the `generations` newest manifests. Returns the kept
    /// manifests, oldest first.
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

    /// Returns whether the next snapshot is a base or a delta. A base is due when the deltas together are as large as
    /// the base, or when the checkpoint has [`MAX_LAYERS_PER_CHECKPOINT`] layers.
    pub(super) fn choose_base_or_delta(&self) -> BaseOrDelta {
        let Some(last) = self.kept_manifests.last() else { return BaseOrDelta::Base };
        let Some((base, deltas)) = last.layers.split_first() else { return BaseOrDelta::Base };
        let delta_bytes = deltas.iter().map(CheckpointLayer::layer_byte_count).sum::<u64>();
        if last.layers.len() < MAX_LAYERS_PER_CHECKPOINT && delta_bytes < base.layer_byte_count() {
            BaseOrDelta::Delta
        } else {
            BaseOrDelta::Base
        }
    }
}
