//! The checkpoint thread's data about one partition: the manifests of the kept checkpoints, and the draft of the next
//! checkpoint.

use windrow_core::BaseOrDelta;

use super::manifest::{
    CheckpointId, CheckpointLayer, CheckpointManifest, EarlierCut, FormerNumbering, StatePart, StoredView,
};
use super::snapshot_failure::SnapshotFailure;
use super::state_completeness::StateCompleteness;
use crate::LogPosition;
use crate::identifiers::Epoch;

/// The maximum number of layers in a checkpoint. After a checkpoint with this number of layers, the next snapshot is a
/// base.
const MAX_LAYERS_PER_CHECKPOINT: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct PartitionCheckpoints {
    /// The manifests of the kept checkpoints, oldest first. If the next snapshot is a delta, its checkpoint consists of
    /// all layers of the newest kept checkpoint and this delta.
    kept_manifests: Vec<CheckpointManifest>,
    next_checkpoint_number: u64,
    origin_savepoint_place: Option<String>,
    completeness: StateCompleteness,
    draft: Option<CheckpointDraft>,
}

/// A snapshot whose pieces are being written as state objects.
#[derive(Debug)]
pub(super) struct CheckpointDraft {
    pub(super) checkpoint_id: CheckpointId,
    /// The state objects that are already written.
    pub(super) parts_written_so_far: Vec<StatePart>,
    /// The first failed write of a state object. After a failed write, the draft cannot become a checkpoint.
    pub(super) write_failure: Option<SnapshotFailure>,
}

impl PartitionCheckpoints {
    /// Creates the data of an opened partition. `kept_manifests` are the manifests of the readable checkpoints in the
    /// job's own store, oldest first.
    pub(super) fn for_opened_partition(
        kept_manifests: Vec<CheckpointManifest>,
        next_checkpoint_number: u64,
        origin_savepoint_place: Option<String>,
        completeness: StateCompleteness,
    ) -> Self {
        Self { kept_manifests, next_checkpoint_number, origin_savepoint_place, completeness, draft: None }
    }

    /// Removes and returns the current draft. If there is no draft, begins a draft under `epoch` with the next
    /// checkpoint number, and returns it.
    pub(super) fn take_or_begin_draft(&mut self, epoch: Epoch) -> CheckpointDraft {
        self.draft.take().unwrap_or_else(|| {
            // A checkpoint number is never reused, because a failed checkpoint may have left state objects with the
            // same number in their names.
            let id = CheckpointId { epoch, checkpoint_number: self.next_checkpoint_number };
            self.next_checkpoint_number += 1;
            CheckpointDraft { checkpoint_id: id, parts_written_so_far: Vec::new(), write_failure: None }
        })
    }

    pub(super) fn put_draft(&mut self, draft: CheckpointDraft) {
        self.draft = Some(draft);
    }

    pub(super) fn discard_draft(&mut self) {
        self.draft = None;
    }

    /// Returns all layers of a checkpoint whose newest layer is `layer`. If `layer` is a delta, `layer` follows the
    /// layers of the newest kept checkpoint. If `layer` is a base, the checkpoint has no other layer.
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

    /// Returns the numberings of the view `view_name` before the one with `fingerprint`. `rows_before` is the number of
    /// the last row of the numbering before; `None` if the partition was opened with this numbering.
    pub(super) fn former_numberings(
        &self,
        view_name: &str,
        fingerprint: u64,
        rows_before: Option<u64>,
    ) -> Vec<FormerNumbering> {
        let newest = self.kept_manifests.last().into_iter().flat_map(|manifest| &manifest.views);
        let mut same_view = newest.filter(|view| view.view_name == view_name);
        let Some(view) = same_view.next() else { return Vec::new() };
        let mut former = view.former_numberings_for_next(fingerprint, u64::MAX);
        // The numbering of the newest checkpoint continued after it, until the worker began the next one.
        if let (Some(newest), Some(rows_before)) = (former.first_mut(), rows_before)
            && newest.row_numbering_fingerprint == view.row_numbering_fingerprint
        {
            newest.last_row_number = newest.last_row_number.max(rows_before);
        }
        former
    }

    /// Returns from which windows on the features of the partition are complete.
    pub(super) fn completeness(&self) -> &StateCompleteness {
        &self.completeness
    }

    /// Returns the position of the newest kept checkpoint; `None` if none is kept.
    pub(super) fn newest_kept_position(&self) -> Option<LogPosition> {
        self.kept_manifests.last().map(CheckpointManifest::log_position)
    }

    /// Returns the cuts of earlier checkpoints for the manifest of a checkpoint with `views`.
    pub(super) fn earlier_cuts(&self, views: &[StoredView]) -> Vec<EarlierCut> {
        self.kept_manifests.last().map_or_else(Vec::new, |last| last.earlier_cuts_for_next(views))
    }

    /// Returns the path or URL of the state from which the job began: a savepoint, or the checkpoints of another job.
    /// Returns `None` if the job began without such state.
    pub(super) fn origin_savepoint_place(&self) -> Option<String> {
        self.origin_savepoint_place.clone()
    }

    /// Adds `manifest`, the manifest of a completed checkpoint, to the kept manifests. Keeps at most `generations`
    /// manifests, and drops the oldest ones. Returns the kept manifests, oldest first.
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

    /// Returns whether the next snapshot is a base or a delta. It is a base if the deltas of the newest checkpoint are
    /// together at least as large as this checkpoint's base. It is also a base if the newest checkpoint has
    /// [`MAX_LAYERS_PER_CHECKPOINT`] layers, or if no checkpoint is kept.
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
