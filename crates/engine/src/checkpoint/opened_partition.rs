//! What opening a partition gives: first a restored shard, then, once it is claimed, the partition itself.

use std::time::Duration;

use windrow_core::{Shard, SnapshotScope};

use super::manifest::{CheckpointId, CheckpointManifest};
use crate::{Epoch, FenceToken, JobDefinition, Offset, Partition};

/// A partition that may be read.
#[derive(Debug)]
pub(crate) struct OpenedPartition {
    pub(crate) fence_token: FenceToken,
    pub(crate) shard: Shard,
    /// The offset of the next record, where that is known.
    pub(crate) next_offset: Option<Offset>,
    /// The offset of the checkpoint of its own that it was restored from.
    pub(crate) checkpoint_offset: Option<Offset>,
    /// Per view, where the counting of its rows began.
    pub(crate) beginnings: Vec<u64>,
    /// Per view, the number of the last row that is in the store of rows already.
    pub(crate) rows_written: Vec<u64>,
    /// The checkpoints of this partition that can be read, oldest first; none where the state came from elsewhere.
    pub(crate) kept_manifests: Vec<CheckpointManifest>,
    /// The number of the next checkpoint.
    pub(crate) next_number: u64,
    /// What the next snapshot must hold.
    pub(crate) next_scope: SnapshotScope,
    pub(crate) restored_from: Option<RestoredCheckpoint>,
}

/// The checkpoint that a shard was restored from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RestoredCheckpoint {
    pub(crate) id: CheckpointId,
    /// Wall clock, in epoch milliseconds.
    pub(crate) taken_at_ms: i64,
    pub(crate) bytes: u64,
    pub(crate) entities: u64,
    pub(crate) duration: Duration,
    /// The savepoint that this job began from.
    pub(crate) savepoint_place: Option<String>,
}

/// A partition's shard as its checkpoint holds it; not claimed at the fence yet.
#[derive(Debug)]
pub(super) struct RestoredShard {
    pub(super) shard: Shard,
    /// The checkpoint it was restored from; `None` where there was none.
    pub(super) manifest: Option<CheckpointManifest>,
    /// For every view of the job, the index of its state among the views of `manifest`.
    pub(super) stored_view_indexes: Vec<Option<usize>>,
    /// The checkpoints of this partition that can be read, oldest first.
    pub(super) kept_manifests: Vec<CheckpointManifest>,
    /// The number of the next checkpoint.
    pub(super) next_number: u64,
    /// The savepoint, where `manifest` is from one or goes back to one.
    pub(super) savepoint_place: Option<String>,
    pub(super) next_scope: SnapshotScope,
}

/// A restored shard, and the claim in the checkpoint store under which it was restored.
#[derive(Debug)]
pub(super) struct RestoredPartition {
    pub(super) partition: Partition,
    pub(super) epoch: Epoch,
    pub(super) duration: Duration,
    pub(super) restored: RestoredShard,
}

impl RestoredShard {
    /// A shard without state, for a partition without any checkpoint.
    pub(super) fn empty(job: &JobDefinition, next_number: u64) -> Self {
        Self {
            shard: job.new_shard(),
            manifest: None,
            stored_view_indexes: vec![None; job.views.len()],
            kept_manifests: Vec::new(),
            next_number,
            savepoint_place: None,
            next_scope: SnapshotScope::Everything,
        }
    }

    /// The offset that the checkpoint leads up to.
    pub(super) fn checkpoint_offset(&self) -> Option<Offset> {
        self.manifest.as_ref().map(|manifest| manifest.offset)
    }
}

/// What the fence grants to a restored partition.
#[derive(Debug)]
pub(super) struct ClaimedFence {
    pub(super) fence_token: FenceToken,
    /// Per view, where the counting of its rows began.
    pub(super) beginnings: Vec<u64>,
    /// Per view, the number of the last row that is in the store of rows already.
    pub(super) rows_written: Vec<u64>,
}

impl RestoredPartition {
    /// Returns the partition, to be read from `start` on, or from its checkpoint on where that is not known.
    pub(super) fn into_opened(self, granted: ClaimedFence, start: Option<Offset>) -> OpenedPartition {
        let Self { duration, restored, .. } = self;
        let checkpoint_offset = restored.checkpoint_offset();
        let restored_from = restored.manifest.as_ref().map(|manifest| RestoredCheckpoint {
            id: manifest.id,
            taken_at_ms: manifest.taken_at_ms,
            bytes: manifest.bytes(),
            entities: manifest.entities,
            duration,
            savepoint_place: restored.savepoint_place.clone(),
        });
        OpenedPartition {
            fence_token: granted.fence_token,
            next_offset: start.or(checkpoint_offset),
            checkpoint_offset: checkpoint_offset.filter(|_| !restored.kept_manifests.is_empty()),
            shard: restored.shard,
            beginnings: granted.beginnings,
            rows_written: granted.rows_written,
            kept_manifests: restored.kept_manifests,
            next_number: restored.next_number,
            next_scope: restored.next_scope,
            restored_from,
        }
    }
}
