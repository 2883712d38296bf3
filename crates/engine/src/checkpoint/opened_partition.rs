//! The steps of opening a partition: a restored shard, then a claim at the fence, then the opened partition.

use std::time::Duration;

use windrow_core::{Shard, SnapshotScope};

use super::manifest::{CheckpointId, CheckpointManifest};
use crate::{Epoch, FenceToken, JobDefinition, Offset, Partition};

/// A partition that is claimed and may be read.
#[derive(Debug)]
pub(crate) struct OpenedPartition {
    pub(crate) fence_token: FenceToken,
    pub(crate) shard: Shard,
    /// The offset of the next record to read; `None` if unknown.
    pub(crate) next_offset: Option<Offset>,
    /// The offset of the partition's own checkpoint that the shard was restored from.
    pub(crate) checkpoint_offset: Option<Offset>,
    /// Per view, the fingerprint of the point where row counting began.
    pub(crate) counting_start_fingerprints: Vec<u64>,
    /// Per view, the number of the last row that the row store already holds.
    pub(crate) last_written_row_by_view: Vec<u64>,
    /// The manifests of this partition's readable checkpoints, oldest first. Empty if the state came from a restore
    /// source.
    pub(crate) kept_manifests: Vec<CheckpointManifest>,
    /// The number of the next checkpoint.
    pub(crate) next_checkpoint_number: u64,
    /// Whether the next snapshot must be a base or a delta.
    pub(crate) next_snapshot_scope: SnapshotScope,
    pub(crate) restored_from: Option<RestoredCheckpoint>,
}

/// The checkpoint that a shard was restored from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RestoredCheckpoint {
    pub(crate) id: CheckpointId,
    /// The wall-clock time of the checkpoint's cut, in epoch milliseconds.
    pub(crate) taken_at_ms: i64,
    pub(crate) byte_count: u64,
    pub(crate) entity_count: u64,
    pub(crate) restore_duration: Duration,
    /// The place of the savepoint that this job began from.
    pub(crate) origin_savepoint_place: Option<String>,
}

/// A shard that was restored from a checkpoint but is not yet claimed at the fence.
#[derive(Debug)]
pub(super) struct RestoredShard {
    pub(super) shard: Shard,
    /// The manifest of the restored checkpoint; `None` if there was no checkpoint.
    pub(super) manifest: Option<CheckpointManifest>,
    /// For every view of the job, the index of its state among the views of `manifest`; `None` without state.
    pub(super) stored_view_indexes: Vec<Option<usize>>,
    /// The manifests of this partition's readable checkpoints, oldest first.
    pub(super) kept_manifests: Vec<CheckpointManifest>,
    /// The number of the next checkpoint.
    pub(super) next_checkpoint_number: u64,
    /// The place of the savepoint that the job began from; `None` if the job began without one.
    pub(super) origin_savepoint_place: Option<String>,
    pub(super) next_snapshot_scope: SnapshotScope,
}

/// A restored shard, and the epoch that was claimed in the checkpoint store before restoring.
#[derive(Debug)]
pub(super) struct RestoredPartition {
    pub(super) partition: Partition,
    pub(super) epoch: Epoch,
    pub(super) restore_duration: Duration,
    pub(super) restored_shard: RestoredShard,
}

impl RestoredShard {
    /// Returns a shard without state, for a partition without any checkpoint.
    pub(super) fn empty(job: &JobDefinition, next_checkpoint_number: u64) -> Self {
        Self {
            shard: job.new_shard(),
            manifest: None,
            stored_view_indexes: vec![None; job.views.len()],
            kept_manifests: Vec::new(),
            next_checkpoint_number,
            origin_savepoint_place: None,
            next_snapshot_scope: SnapshotScope::Everything,
        }
    }

    /// Returns the offset of the restored checkpoint.
    pub(super) fn checkpoint_offset(&self) -> Option<Offset> {
        self.manifest.as_ref().map(|manifest| manifest.offset)
    }
}

/// The result of a granted claim at the fence.
#[derive(Debug)]
pub(super) struct GrantedFenceClaim {
    pub(super) fence_token: FenceToken,
    /// Per view, the fingerprint of the point where row counting began.
    pub(super) counting_start_fingerprints: Vec<u64>,
    /// Per view, the number of the last row that the row store already holds.
    pub(super) last_written_row_by_view: Vec<u64>,
}

impl RestoredPartition {
    /// Combines the restored shard and the granted claim into an opened partition. Reading begins at `start`, or at the
    /// checkpoint's offset without one.
    pub(super) fn into_opened_partition(self, granted: GrantedFenceClaim, start: Option<Offset>) -> OpenedPartition {
        let Self { restore_duration: duration, restored_shard: restored, .. } = self;
        let checkpoint_offset = restored.checkpoint_offset();
        let restored_from = restored.manifest.as_ref().map(|manifest| RestoredCheckpoint {
            id: manifest.id,
            taken_at_ms: manifest.taken_at_ms,
            byte_count: manifest.total_byte_count(),
            entity_count: manifest.entities,
            restore_duration: duration,
            origin_savepoint_place: restored.origin_savepoint_place.clone(),
        });
        OpenedPartition {
            fence_token: granted.fence_token,
            next_offset: start.or(checkpoint_offset),
            checkpoint_offset: checkpoint_offset.filter(|_| !restored.kept_manifests.is_empty()),
            shard: restored.shard,
            counting_start_fingerprints: granted.counting_start_fingerprints,
            last_written_row_by_view: granted.last_written_row_by_view,
            kept_manifests: restored.kept_manifests,
            next_checkpoint_number: restored.next_checkpoint_number,
            next_snapshot_scope: restored.next_snapshot_scope,
            restored_from,
        }
    }
}
