//! The checkpoint thread reads and writes the checkpoint store for its worker, so that the worker does not wait for the
//! store.
//!
//! Owns: packing and writing state objects, creating manifests, deleting unneeded objects. Does not own: opening
//! partitions (`opening_thread`), shards, the decisions when a checkpoint begins and when it may be completed (the
//! worker), the worker's side of the two channels (`checkpoint_thread_handle`).
//! Invariants: (1) The thread executes commands in the order in which the worker sent them. (2) The thread sends exactly
//! one event in answer to each [`CheckpointCommand::CompleteSnapshot`] and
//! [`CheckpointCommand::ConfirmEarlierCommands`]. (3) A failed write of a state object fails only
//! the checkpoint that the object belongs to.
//! A crash of the process can leave state objects that no manifest names. The next complete checkpoint of the same
//! partition deletes these objects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::{debug, warn};
use windrow_core::EventTime;

use super::config::CheckpointConfig;
use super::create_object::create_or_compare_object;
use super::manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart, StoredView};
use super::partition_checkpoints::{CheckpointDraft, PartitionCheckpoints};
use super::snapshot_failure::SnapshotFailure;
use super::store::CheckpointStore;
use super::thread_messages::{
    CheckpointCommand, CheckpointEvent, CheckpointSize, SnapshotOutcome, SnapshotPurpose, SnapshotToComplete,
};
use super::{epoch_claim, object_names, retention, savepoint_request, state_object};
use crate::message_channel::{MessageReceiver, MessageSender};
use crate::{FenceToken, HeldOffsets, JobDefinition, LogHistoryFault, Partition};

pub(super) struct CheckpointThread {
    config: CheckpointConfig,
    job: JobDefinition,
    checkpoints_by_partition: BTreeMap<Partition, PartitionCheckpoints>,
    events_to_worker: MessageSender<CheckpointEvent>,
    unwritten_snapshot_byte_count: Arc<AtomicUsize>,
}

impl CheckpointThread {
    /// Creates the data of a checkpoint thread that has not opened a partition yet. `unwritten_snapshot_byte_count` is
    /// shared with the worker. The worker adds the number of bytes of each snapshot piece that it sends. The thread
    /// subtracts this number after it has written the piece.
    pub(super) fn new(
        config: CheckpointConfig,
        job: JobDefinition,
        events_to_worker: MessageSender<CheckpointEvent>,
        unwritten_snapshot_byte_count: Arc<AtomicUsize>,
    ) -> Self {
        let checkpoints_by_partition = BTreeMap::new();
        Self { config, job, checkpoints_by_partition, events_to_worker, unwritten_snapshot_byte_count }
    }

    /// Executes the worker's commands until the worker drops its [`super::CheckpointThreadHandle`].
    pub(super) fn execute_commands(mut self, commands: &MessageReceiver<CheckpointCommand>) {
        while let Ok(command) = commands.receive() {
            let event = self.execute_command(command);
            if event.is_some_and(|event| self.events_to_worker.send(event).is_err()) {
                return; // The worker has dropped its handle.
            }
        }
    }

    fn execute_command(&mut self, command: CheckpointCommand) -> Option<CheckpointEvent> {
        match command {
            CheckpointCommand::TrackPartition { partition, partition_checkpoints } => {
                self.checkpoints_by_partition.insert(partition, *partition_checkpoints);
                None
            }
            CheckpointCommand::ConfirmEarlierCommands { partition, barrier_number } => {
                Some(CheckpointEvent::EarlierCommandsExecuted { partition, barrier_number })
            }
            CheckpointCommand::WriteStatePart { fence_token, snapshot_purpose, bytes } => {
                let length = bytes.len();
                self.write_draft_part(fence_token, &snapshot_purpose, &bytes);
                drop(bytes);
                self.unwritten_snapshot_byte_count.fetch_sub(length, Ordering::Relaxed);
                None
            }
            CheckpointCommand::CompleteSnapshot(completion) => {
                let draft = self
                    .partition_checkpoints_mut(completion.fence_token.partition)
                    .take_or_begin_draft(completion.fence_token.epoch);
                let number = draft.checkpoint_id.checkpoint_number;
                let outcome = self.complete_snapshot(&completion, draft).unwrap_or_else(SnapshotOutcome::Failed);
                let SnapshotToComplete { fence_token, snapshot_purpose, .. } = *completion;
                Some(CheckpointEvent::SnapshotEnded { fence_token, snapshot_purpose, number, outcome })
            }
            CheckpointCommand::RefuseSavepoint { partition, request, fault } => {
                let store = &*self.config.checkpoint_store;
                if let Err(fault) = savepoint_request::refuse_savepoint(store, &request, partition, &fault) {
                    warn!(partition, savepoint = request.savepoint_id, %fault, "the savepoint cannot be refused; it times out");
                }
                None
            }
            CheckpointCommand::DiscardSnapshot(partition) => {
                self.partition_checkpoints_mut(partition).discard_draft();
                None
            }
        }
    }

    fn partition_checkpoints_mut(&mut self, partition: Partition) -> &mut PartitionCheckpoints {
        self.checkpoints_by_partition.entry(partition).or_default()
    }

    /// Returns the store that a snapshot is written to: the job's checkpoint store, or the store of the requested
    /// savepoint.
    fn choose_snapshot_store<'a>(&'a self, snapshot_purpose: &'a SnapshotPurpose) -> &'a dyn CheckpointStore {
        match snapshot_purpose {
            SnapshotPurpose::Checkpoint => &*self.config.checkpoint_store,
            SnapshotPurpose::Savepoint(request) => &*request.target_store,
        }
    }

    /// Writes one piece of a snapshot as a state object, and adds the object to the partition's draft. If the write
    /// fails, the draft stores the failure, and [`Self::complete_snapshot`] returns the failure.
    fn write_draft_part(&mut self, fence_token: FenceToken, snapshot_purpose: &SnapshotPurpose, bytes: &[u8]) {
        let FenceToken { partition, epoch } = fence_token;
        let mut draft = self.partition_checkpoints_mut(partition).take_or_begin_draft(epoch);
        if draft.write_failure.is_none() {
            let name =
                object_names::state_object_name(partition, draft.checkpoint_id, draft.parts_written_so_far.len());
            match self.pack_and_create_state_object(snapshot_purpose, name, bytes) {
                Ok(part) => draft.parts_written_so_far.push(part),
                Err(failure) => draft.write_failure = Some(failure),
            }
        }
        self.partition_checkpoints_mut(partition).put_draft(draft);
    }

    /// Packs `bytes`, one piece of a snapshot, into a state object. Creates this object under the name `name` in the
    /// snapshot's store. Succeeds also if the store already holds an object of this name with the same content.
    fn pack_and_create_state_object(
        &self,
        snapshot_purpose: &SnapshotPurpose,
        name: String,
        bytes: &[u8],
    ) -> Result<StatePart, SnapshotFailure> {
        let object = match state_object::pack_state(bytes) {
            Ok(object) => object,
            Err(fault) => return Err(SnapshotFailure::NotPacked { object: name, source: fault }),
        };
        let store = self.choose_snapshot_store(snapshot_purpose);
        if let Err(fault) = store.create_object(&name, object.clone())
            && !matches!(store.read_object(&name), Ok(Some(found)) if found == object)
        {
            return Err(SnapshotFailure::NotWritten { object: name, source: fault });
        }
        Ok(StatePart::entry_for_object(name, &object))
    }

    /// Completes a snapshot by creating its manifest, unless a larger epoch of the partition exists. If the snapshot is
    /// a checkpoint, then deletes the partition's objects that no kept checkpoint needs. If the snapshot is for a
    /// savepoint, then confirms that the savepoint contains the partition.
    fn complete_snapshot(
        &mut self,
        completion: &SnapshotToComplete,
        draft: CheckpointDraft,
    ) -> Result<SnapshotOutcome, SnapshotFailure> {
        let FenceToken { partition, epoch } = completion.fence_token;
        let CheckpointDraft { checkpoint_id: id, parts_written_so_far: parts, write_failure } = draft;
        if let Some(failure) = write_failure {
            return Err(failure);
        }
        let own = Arc::clone(&self.config.checkpoint_store);
        if let Some(newest) = epoch_claim::read_largest_epoch(&*own, partition)?.filter(|newest| *newest > epoch) {
            return Ok(SnapshotOutcome::Fenced(newest));
        }
        let found_topic_id = match (self.config.topic_identity_check)() {
            Ok(found_topic_id) => found_topic_id,
            Err(halt) => return Ok(SnapshotOutcome::Halted(halt)),
        };
        let manifest = self.build_manifest(completion, id, CheckpointLayer { parts }, found_topic_id);
        let bytes =
            manifest.encode().map_err(|error| SnapshotFailure::ManifestNotEncoded { detail: error.to_string() })?;
        let size = CheckpointSize {
            newest_layer_byte_count: manifest.layers.last().map_or(0, CheckpointLayer::layer_byte_count),
            all_layers_byte_count: manifest.state_byte_count(),
        };
        match self.find_records_before_loss(completion) {
            Ok(None) => {}
            Ok(Some(shared)) => return Ok(SnapshotOutcome::LogTruncated(shared)),
            Err(LogHistoryFault::NoAnswer(source)) => return Err(SnapshotFailure::LogHistoryUnknown { source }),
            Err(LogHistoryFault::Halted(halt)) => return Ok(SnapshotOutcome::Halted(halt)),
        }
        let object = object_names::manifest_object_name(partition, id);
        if !create_or_compare_object(self.choose_snapshot_store(&completion.snapshot_purpose), &object, &bytes)? {
            return Err(SnapshotFailure::WrittenElsewhere { object });
        }
        if let SnapshotPurpose::Savepoint(request) = &completion.snapshot_purpose {
            savepoint_request::confirm_saved_partition(&*own, request, partition)?;
            let next_base_or_delta = self.partition_checkpoints_mut(partition).choose_base_or_delta();
            let oldest_kept_offset = completion.position.offset;
            return Ok(SnapshotOutcome::Complete { id, size, next_base_or_delta, oldest_kept_offset });
        }
        let listed = own.list_objects(&object_names::partition_folder(partition))?;
        if let Some(newest) = epoch_claim::find_largest_listed_epoch(&listed).filter(|newest| *newest > epoch) {
            return Ok(SnapshotOutcome::Fenced(newest));
        }
        let generations = self.config.kept_checkpoints_per_partition;
        let kept = self.partition_checkpoints_mut(partition).add_completed_manifest(manifest, generations);
        let oldest_kept_offset = kept.first().map_or(completion.position.offset, |oldest| oldest.offset);
        let unneeded = retention::find_unneeded_objects(partition, &listed, kept, id);
        if let Err(fault) = own.delete_objects(&unneeded) {
            warn!(partition, %fault, "objects of old checkpoints cannot be deleted; the next checkpoint tries again");
        }
        debug!(partition, checkpoint = %id, bytes = size.newest_layer_byte_count, deleted = unneeded.len(), "checkpoint complete");
        Ok(SnapshotOutcome::Complete {
            id,
            size,
            next_base_or_delta: self.partition_checkpoints_mut(partition).choose_base_or_delta(),
            oldest_kept_offset,
        })
    }

    /// Returns the offsets that the log shares with the state of the snapshot, if the log has lost records since the
    /// checkpoint before. While the leader epoch stays the same, the log loses none.
    fn find_records_before_loss(
        &self,
        completion: &SnapshotToComplete,
    ) -> Result<Option<HeldOffsets>, LogHistoryFault> {
        let partition = completion.fence_token.partition;
        let known = self.checkpoints_by_partition.get(&partition).and_then(PartitionCheckpoints::newest_kept_position);
        let Some(known) = known.filter(|known| known.leader_epoch != completion.position.leader_epoch) else {
            return Ok(None);
        };
        let shared = self.config.log_history.find_shared_offsets(partition, known)?;
        Ok(shared.filter(|shared| !known.is_within(*shared)))
    }

    fn build_manifest(
        &mut self,
        completion: &SnapshotToComplete,
        id: CheckpointId,
        layer: CheckpointLayer,
        found_topic_id: Option<String>,
    ) -> CheckpointManifest {
        let SnapshotToComplete { shard_metadata: facts, row_numbering_fingerprints: fingerprints, .. } = completion;
        let partition = completion.fence_token.partition;
        let checkpoints = self.checkpoints_by_partition.entry(partition).or_default();
        let (job, identity) = (&self.job, &self.config.state_identity);
        let rows_before =
            completion.rows_before_numbering.iter().map(|&rows| Some(rows)).chain(std::iter::repeat(None));
        let completeness = checkpoints.completeness();
        let views = job.views.iter().enumerate().zip(&facts.emitted_row_counts).zip(fingerprints).zip(rows_before).map(
            |((((index, view), &last_row_number), &row_numbering_fingerprint), rows_before)| StoredView {
                view_name: view.name.to_string(),
                view_definition: view.definition_text(&job.schema),
                last_row_number,
                row_numbering_fingerprint,
                former_numberings: checkpoints.former_numberings(&view.name, row_numbering_fingerprint, rows_before),
                features: StoredView::describe_features(
                    view,
                    &job.schema,
                    &completeness.complete_from_ms(index, view, facts.watermark),
                ),
            },
        );
        let views: Vec<_> = views.collect();
        CheckpointManifest {
            checkpoint_id: id,
            taken_at_ms: completion.taken_at_ms,
            windrow_version: env!("CARGO_PKG_VERSION").to_owned(),
            process_name: self.config.process_name.clone(),
            pipeline_name: identity.pipeline_name.clone(),
            topic: identity.topic.clone(),
            topic_id: identity.topic_id.clone().or(found_topic_id),
            topic_partition_count: identity.partition_count,
            partition,
            offset: completion.position.offset,
            leader_epoch: completion.position.leader_epoch,
            watermark_ms: facts.watermark.map(EventTime::ms),
            watermark_by_events_ms: facts.watermark_by_events.map(EventTime::ms),
            event_time_limit_ms: completion.event_time_limit.map(EventTime::ms),
            latest_event_time_ms: completeness
                .latest_event_time_ms(facts.watermark_by_events, job.max_out_of_orderness_ms),
            entity_count: facts.entity_count as u64,
            slot_count: facts.slot_count,
            decoding_and_lateness_description: job.describe_decoding_and_lateness(),
            earlier_cuts: checkpoints.earlier_cuts(&views),
            views,
            layers: checkpoints.build_layers_ending_with(completion.base_or_delta, layer),
            origin_savepoint_place: checkpoints.origin_savepoint_place(),
        }
    }
}
