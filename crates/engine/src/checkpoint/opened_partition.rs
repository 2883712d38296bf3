//! The data of a partition in each step of its opening: a restored shard, a granted claim at the fence, an opened
//! partition.

use std::time::Duration;

use windrow_core::{BaseOrDelta, EventTime, Shard};

use super::checkpoint_limits::CheckpointLimits;
use super::manifest::{CheckpointId, CheckpointManifest};
use super::missing_rows::{MissingRows, describe_missing_rows};
use super::partition_checkpoints::PartitionCheckpoints;
use super::state_completeness::StateCompleteness;
use crate::{
    ClockDecisions, CountedRows, Epoch, FenceToken, JobDefinition, LeaderEpoch, LogPosition, MissingRowsPolicy, Offset,
    Partition,
};

/// A partition that a worker has claimed in the checkpoint store and at the fence. The worker may now read the
/// partition's records.
#[derive(Debug)]
pub(crate) struct OpenedPartition {
    pub(crate) fence_token: FenceToken,
    pub(crate) shard: Shard,
    /// The offset of the next record to read; `None` if the partition has no checkpoint and its start offset is
    /// unknown.
    pub(crate) next_offset: Option<Offset>,
    /// The leader epoch of the record before `next_offset`; `None` if unknown.
    pub(crate) leader_epoch: Option<LeaderEpoch>,
    /// The offset of the checkpoint that the shard was restored from, if the job's own store holds this checkpoint;
    /// otherwise `None`.
    pub(crate) checkpoint_offset: Option<Offset>,
    /// For each feature view, the fingerprint of everything that determines the numbers of the view's rows (see
    /// `row_numbering_fingerprint`).
    pub(crate) row_numbering_fingerprints: Vec<u64>,
    /// For each feature view, the number of the last row that the row store already holds.
    pub(crate) last_written_row_number_by_view: Vec<u64>,
    /// What the wall clock has decided about the partition, as the row store knows it.
    pub(crate) clock_decisions: ClockDecisions,
    /// The position after the record that caused the last row in the row store; `None` if unknown.
    pub(crate) written_position: Option<LogPosition>,
    /// The latest event time that was accepted at the restored checkpoint; `None` if all were.
    pub(crate) event_time_limit: Option<EventTime>,
    /// From which windows on the features are complete.
    pub(crate) completeness: StateCompleteness,
    /// The data with which the checkpoint thread continues the partition's checkpoints.
    pub(crate) partition_checkpoints: PartitionCheckpoints,
    /// Whether the partition's next snapshot is a base or a delta.
    pub(crate) next_base_or_delta: BaseOrDelta,
    /// The checkpoint that the shard was restored from; `None` if the partition had no checkpoint.
    pub(crate) restored_checkpoint: Option<RestoredCheckpoint>,
}

impl OpenedPartition {
    /// Returns the position at which reading begins; `None` if it is unknown.
    pub(crate) fn read_position(&self) -> Option<LogPosition> {
        self.next_offset.map(|offset| LogPosition { offset, leader_epoch: self.leader_epoch })
    }
}

/// The checkpoint that a shard was restored from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RestoredCheckpoint {
    pub(crate) checkpoint_id: CheckpointId,
    /// The wall-clock time of the checkpoint's cut, in epoch milliseconds.
    pub(crate) taken_at_ms: i64,
    pub(crate) checkpoint_byte_count: u64,
    pub(crate) entity_count: u64,
    pub(crate) restore_duration: Duration,
    /// The path or URL of the state from which the job began: a savepoint, or the checkpoints of another job. `None` if
    /// the job began without such state.
    pub(crate) origin_savepoint_place: Option<String>,
}

/// A shard that was restored from a checkpoint, or an empty shard of a partition without a checkpoint.
#[derive(Debug)]
pub(super) struct RestoredShard {
    pub(super) shard: Shard,
    /// The manifest of the checkpoint that the shard was restored from; `None` if the partition had no checkpoint.
    pub(super) manifest: Option<CheckpointManifest>,
    /// For every feature view of the job, the index in `manifest.views` of the view whose windows it keeps; `None` if it
    /// begins empty.
    pub(super) stored_view_index_by_job_view: Vec<Option<usize>>,
    pub(super) completeness: StateCompleteness,
    /// The manifests of the readable checkpoints in the job's own store, oldest first.
    pub(super) kept_manifests: Vec<CheckpointManifest>,
    pub(super) next_checkpoint_number: u64,
    /// The path or URL of the state from which the job began: a savepoint, or the checkpoints of another job. `None` if
    /// the job began without such state.
    pub(super) origin_savepoint_place: Option<String>,
    pub(super) next_base_or_delta: BaseOrDelta,
}

/// A restored shard, and the epoch under which the worker has claimed the partition in the checkpoint store. The worker
/// has not claimed the partition at the fence yet.
#[derive(Debug)]
pub(super) struct RestoredPartition {
    pub(super) partition: Partition,
    pub(super) epoch: Epoch,
    pub(super) restore_duration: Duration,
    pub(super) restored_shard: RestoredShard,
    /// What the restored checkpoint must fulfil, as far as is known.
    pub(super) checkpoint_limits: CheckpointLimits,
    /// Whether the fence grants the claim although the row store lacks rows that the checkpoint counts.
    pub(super) missing_rows_policy: MissingRowsPolicy,
    /// The epoch of another worker that has claimed the partition meanwhile; `None` if none is known.
    pub(super) overtaken_by: Option<Epoch>,
}

impl RestoredShard {
    /// Returns a shard without state, with which a partition without any checkpoint begins.
    pub(super) fn without_checkpoint(job: &JobDefinition, next_checkpoint_number: u64) -> Self {
        Self {
            shard: job.new_shard(),
            manifest: None,
            stored_view_index_by_job_view: vec![None; job.views.len()],
            completeness: StateCompleteness::default(),
            kept_manifests: Vec::new(),
            next_checkpoint_number,
            origin_savepoint_place: None,
            next_base_or_delta: BaseOrDelta::Base,
        }
    }

    /// Returns the rows that the checkpoint counts, for each feature view of the job that the checkpoint has.
    pub(super) fn counted_rows(&self) -> Vec<CountedRows> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        let is_continued = |index: usize| self.stored_view_index_by_job_view.contains(&Some(index));
        let rows = manifest.counted_rows().enumerate().filter(|(index, _)| is_continued(*index));
        rows.map(|(_, rows)| rows).collect()
    }

    /// Returns the offset of the checkpoint that the shard was restored from; `None` if the partition had no
    /// checkpoint.
    pub(super) fn checkpoint_offset(&self) -> Option<Offset> {
        self.manifest.as_ref().map(|manifest| manifest.offset)
    }
}

/// The result of a claim that the fence has granted.
#[derive(Debug)]
pub(super) struct GrantedFenceClaim {
    pub(super) fence_token: FenceToken,
    /// For each feature view, the fingerprint of everything that determines the numbers of the view's rows (see
    /// `row_numbering_fingerprint`).
    pub(super) row_numbering_fingerprints: Vec<u64>,
    /// For each feature view, the number of the last row that the row store already holds.
    pub(super) last_written_row_number_by_view: Vec<u64>,
    /// What the wall clock has decided about the partition, as the row store knows it.
    pub(super) clock_decisions: ClockDecisions,
    /// The position after the record that caused the last row in the row store; `None` if unknown.
    pub(super) written_position: Option<LogPosition>,
}

impl RestoredPartition {
    /// Returns the rows that the checkpoint counts and that the row store lacks.
    pub(super) fn describe_missing_rows(&self) -> Vec<MissingRows> {
        match (&self.restored_shard.manifest, &self.checkpoint_limits.row_store_answer) {
            (Some(manifest), Some(answer)) => describe_missing_rows(manifest, answer.stored_rows.as_ref()),
            _ => Vec::new(),
        }
    }

    /// Returns the position at which reading begins: at the offset `start`, or at the checkpoint. Returns `None` if the
    /// position is unknown.
    pub(super) fn read_position(&self, start: Option<Offset>) -> Option<LogPosition> {
        let checkpoint = self.restored_shard.manifest.as_ref().map(CheckpointManifest::log_position);
        match (start, checkpoint) {
            (Some(start), Some(position)) if position.offset == start => Some(position),
            (Some(offset), _) => Some(LogPosition { offset, leader_epoch: None }),
            (None, position) => position,
        }
    }

    /// Combines the restored shard and the granted claim into an opened partition. The worker reads the partition from
    /// the offset `start`, or from the checkpoint's offset if `start` is `None`.
    pub(super) fn open_with_granted_claim(self, granted: GrantedFenceClaim, start: Option<Offset>) -> OpenedPartition {
        let leader_epoch = self.read_position(start).and_then(|position| position.leader_epoch);
        let Self { restore_duration: duration, restored_shard: restored, .. } = self;
        let checkpoint_offset = restored.checkpoint_offset();
        let restored_checkpoint = restored.manifest.as_ref().map(|manifest| RestoredCheckpoint {
            checkpoint_id: manifest.checkpoint_id,
            taken_at_ms: manifest.taken_at_ms,
            checkpoint_byte_count: manifest.state_byte_count(),
            entity_count: manifest.entity_count,
            restore_duration: duration,
            origin_savepoint_place: restored.origin_savepoint_place.clone(),
        });
        let event_time_limit = restored.manifest.as_ref().and_then(|manifest| manifest.event_time_limit_ms);
        OpenedPartition {
            clock_decisions: granted.clock_decisions,
            written_position: granted.written_position,
            event_time_limit: event_time_limit.map(EventTime::from_ms),
            fence_token: granted.fence_token,
            next_offset: start.or(checkpoint_offset),
            leader_epoch,
            checkpoint_offset: checkpoint_offset.filter(|_| !restored.kept_manifests.is_empty()),
            shard: restored.shard,
            row_numbering_fingerprints: granted.row_numbering_fingerprints,
            last_written_row_number_by_view: granted.last_written_row_number_by_view,
            partition_checkpoints: PartitionCheckpoints::for_opened_partition(
                restored.kept_manifests,
                restored.next_checkpoint_number,
                restored.origin_savepoint_place.filter(|_| restored_checkpoint.is_some()),
                restored.completeness.clone(),
            ),
            completeness: restored.completeness,
            next_base_or_delta: restored.next_base_or_delta,
            restored_checkpoint,
        }
    }
}
