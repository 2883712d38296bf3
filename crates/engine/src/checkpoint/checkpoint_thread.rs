//! The checkpoint thread makes all calls to the checkpoint store that a worker must not wait for.
//!
//! Owns: opening partitions, packing and writing state objects, creating manifests and deleting what they replace. Does
//! not own: shards, nor the decision when a checkpoint is due or may be completed (the worker).
//! Invariants: (1) Commands of one worker are executed in their order. (2) Every
//! [`CheckpointCommand::RestorePartition`], [`CheckpointCommand::ClaimFence`] and
//! [`CheckpointCommand::CompleteSnapshot`] gets exactly one event. (3) A failed write of a state object fails only its
//! own checkpoint.
//! After a crash, only objects without a manifest are left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use tracing::{debug, warn};
use windrow_core::EventTime;

use super::claim_partition::{claim_epoch_and_restore, claim_partition_at_fence};
use super::config::CheckpointConfig;
use super::create_object::create_or_confirm;
use super::manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart, StoredView};
use super::messages::{
    CheckpointCommand, CheckpointEvent, CheckpointSize, OpenOutcome, SnapshotCompletion, SnapshotFailure,
    SnapshotOutcome, SnapshotPurpose,
};
use super::partition_checkpoints::{CheckpointDraft, PartitionCheckpoints};
use super::store::CheckpointStore;
use super::store_retry::StoreRetry;
use super::{epoch, object_names, retention, savepoint_request, state_object};
use crate::halt::{CheckpointStoreFault, share_error};
use crate::{Clock, FenceToken, Halt, JobDefinition, Offset, Partition, StopSignal};

const THREAD_NAME: &str = "checkpoints";

/// The worker's handle to its checkpoint thread.
#[derive(Debug)]
pub(crate) struct CheckpointThreadHandle {
    commands: Sender<CheckpointCommand>,
    events: Receiver<CheckpointEvent>,
    unwritten_snapshot_bytes: Arc<AtomicUsize>,
}

impl CheckpointThreadHandle {
    /// Starts the thread and returns the worker's handle.
    pub(crate) fn start(
        config: CheckpointConfig,
        job: JobDefinition,
        clock: Arc<dyn Clock>,
        stop: StopSignal,
    ) -> Result<Self, Halt> {
        let (commands, inbox) = channel();
        let (outbox, events) = channel();
        let unwritten_bytes = Arc::new(AtomicUsize::new(0));
        let thread = CheckpointThread {
            config,
            job,
            clock,
            stop,
            checkpoints_by_partition: BTreeMap::new(),
            events: outbox,
            unwritten_snapshot_bytes: Arc::clone(&unwritten_bytes),
        };
        // Detached: the thread ends with its worker, and a store that hangs must not keep the process alive.
        thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || thread.run(&inbox)).map_err(|error| {
            CheckpointStoreFault::ThreadNotStarted { thread: THREAD_NAME, source: share_error(error) }
        })?;
        Ok(Self { commands, events, unwritten_snapshot_bytes: unwritten_bytes })
    }

    pub(crate) fn send_command(&self, command: CheckpointCommand) -> Result<(), Halt> {
        if let CheckpointCommand::WriteStatePart { bytes, .. } = &command {
            self.unwritten_snapshot_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        self.commands.send(command).map_err(|_| CheckpointStoreFault::ThreadBrokeDown.into())
    }

    /// Returns the next event without waiting; `None` when no event is queued.
    pub(crate) fn try_next_event(&self) -> Result<Option<CheckpointEvent>, Halt> {
        match self.events.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(CheckpointStoreFault::ThreadBrokeDown.into()),
        }
    }

    /// Returns how many bytes of snapshots are queued but not written yet.
    pub(crate) fn unwritten_snapshot_bytes(&self) -> usize {
        self.unwritten_snapshot_bytes.load(Ordering::Relaxed)
    }

    /// Waits at most `timeout` for the next event.
    pub(crate) fn wait_for_event(&self, timeout: Duration) -> Result<Option<CheckpointEvent>, Halt> {
        match self.events.recv_timeout(timeout) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(CheckpointStoreFault::ThreadBrokeDown.into()),
        }
    }
}

struct CheckpointThread {
    config: CheckpointConfig,
    job: JobDefinition,
    clock: Arc<dyn Clock>,
    stop: StopSignal,
    checkpoints_by_partition: BTreeMap<Partition, PartitionCheckpoints>,
    events: Sender<CheckpointEvent>,
    unwritten_snapshot_bytes: Arc<AtomicUsize>,
}

impl CheckpointThread {
    fn run(mut self, inbox: &Receiver<CheckpointCommand>) {
        while let Ok(command) = inbox.recv() {
            let event = self.execute_command(command);
            if event.is_some_and(|event| self.events.send(event).is_err()) {
                return; // the worker has ended
            }
        }
    }

    fn execute_command(&mut self, command: CheckpointCommand) -> Option<CheckpointEvent> {
        match command {
            CheckpointCommand::RestorePartition(partition) => {
                Some(CheckpointEvent::PartitionRestored(partition, self.restore_partition(partition)))
            }
            CheckpointCommand::ClaimFence { partition, start } => {
                Some(CheckpointEvent::FenceClaimed(partition, self.claim_fence(partition, start)))
            }
            CheckpointCommand::WriteStatePart { fence_token, purpose, bytes } => {
                let length = bytes.len();
                self.write_state_part(fence_token, &purpose, &bytes);
                drop(bytes);
                self.unwritten_snapshot_bytes.fetch_sub(length, Ordering::Relaxed);
                None
            }
            CheckpointCommand::CompleteSnapshot(completion) => {
                let draft = self
                    .partition_checkpoints_mut(completion.fence_token.partition)
                    .take_or_begin_draft(completion.fence_token.epoch);
                let number = draft.id.number;
                let outcome = self.complete_snapshot(&completion, draft).unwrap_or_else(SnapshotOutcome::Failed);
                let SnapshotCompletion { fence_token, purpose, .. } = *completion;
                Some(CheckpointEvent::SnapshotEnded { fence_token, purpose, number, outcome })
            }
            CheckpointCommand::DiscardSnapshot(partition) => {
                self.partition_checkpoints_mut(partition).discard_draft();
                None
            }
        }
    }

    fn create_store_retry(&self) -> StoreRetry<'_> {
        StoreRetry { config: &self.config, clock: &*self.clock, stop: &self.stop }
    }

    fn partition_checkpoints_mut(&mut self, partition: Partition) -> &mut PartitionCheckpoints {
        self.checkpoints_by_partition.entry(partition).or_default()
    }

    fn restore_partition(&mut self, partition: Partition) -> Result<Option<Offset>, Halt> {
        let restored = claim_epoch_and_restore(&self.create_store_retry(), &self.job, partition)?;
        let offset = restored.restored_shard.checkpoint_offset();
        self.checkpoints_by_partition.insert(partition, PartitionCheckpoints::for_restored_partition(restored));
        Ok(offset)
    }

    fn claim_fence(&mut self, partition: Partition, start: Option<Offset>) -> Result<OpenOutcome, Halt> {
        let restored = self
            .partition_checkpoints_mut(partition)
            .restored_partition
            .take()
            .ok_or(CheckpointStoreFault::ThreadBrokeDown)?;
        let mut outcome = claim_partition_at_fence(&self.create_store_retry(), &self.job, restored, start)?;
        if let OpenOutcome::Opened(opened) = &mut outcome {
            self.checkpoints_by_partition.insert(partition, PartitionCheckpoints::for_opened_partition(opened));
        }
        Ok(outcome)
    }

    /// Returns the store that a snapshot for `purpose` is written to.
    fn store_for_snapshot<'a>(&'a self, purpose: &'a SnapshotPurpose) -> &'a dyn CheckpointStore {
        match purpose {
            SnapshotPurpose::Checkpoint => &*self.config.store,
            SnapshotPurpose::Savepoint(request) => &*request.target_store,
        }
    }

    /// Writes a piece of the draft as a state object. A failed write marks the draft as failed.
    fn write_state_part(&mut self, fence_token: FenceToken, purpose: &SnapshotPurpose, bytes: &[u8]) {
        let FenceToken { partition, epoch } = fence_token;
        let mut draft = self.partition_checkpoints_mut(partition).take_or_begin_draft(epoch);
        if draft.failure.is_none() {
            let name = object_names::state_object_name(partition, draft.id, draft.written_parts.len());
            match self.write_state_object(purpose, name, bytes) {
                Ok(part) => draft.written_parts.push(part),
                Err(failure) => draft.failure = Some(failure),
            }
        }
        self.partition_checkpoints_mut(partition).put_draft(draft);
    }

    fn write_state_object(
        &self,
        purpose: &SnapshotPurpose,
        name: String,
        bytes: &[u8],
    ) -> Result<StatePart, SnapshotFailure> {
        let object = match state_object::pack_state(bytes) {
            Ok(object) => object,
            Err(fault) => return Err(SnapshotFailure::NotPacked { object: name, source: fault }),
        };
        let store = self.store_for_snapshot(purpose);
        if let Err(fault) = store.create(&name, object.clone())
            && !matches!(store.read(&name), Ok(Some(found)) if found == object)
        {
            return Err(SnapshotFailure::NotWritten { object: name, source: fault });
        }
        Ok(StatePart::from_object(name, &object))
    }

    /// Completes a snapshot by creating its manifest, unless a larger epoch exists.
    fn complete_snapshot(
        &mut self,
        completion: &SnapshotCompletion,
        draft: CheckpointDraft,
    ) -> Result<SnapshotOutcome, SnapshotFailure> {
        let FenceToken { partition, epoch } = completion.fence_token;
        let CheckpointDraft { id, written_parts: parts, failure } = draft;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let manifest = self.build_manifest(completion, id, CheckpointLayer { parts });
        let bytes =
            manifest.encode().map_err(|error| SnapshotFailure::ManifestNotRendered { detail: error.to_string() })?;
        let size = CheckpointSize {
            added_bytes: manifest.layers.last().map_or(0, CheckpointLayer::byte_count),
            state_bytes: manifest.total_byte_count(),
        };
        let own = Arc::clone(&self.config.store);
        if let Some(newest) = epoch::read_newest_epoch(&*own, partition)?.filter(|newest| *newest > epoch) {
            return Ok(SnapshotOutcome::Fenced(newest));
        }
        if let Err(halt) = (self.config.topic_check)() {
            return Ok(SnapshotOutcome::Halted(halt));
        }
        let object = object_names::manifest_object_name(partition, id);
        if !create_or_confirm(self.store_for_snapshot(&completion.purpose), &object, &bytes)? {
            return Err(SnapshotFailure::WrittenElsewhere { object });
        }
        if let SnapshotPurpose::Savepoint(request) = &completion.purpose {
            savepoint_request::confirm_saved_partition(&*own, request, partition)?;
            let next_scope = self.partition_checkpoints_mut(partition).choose_next_snapshot_scope();
            return Ok(SnapshotOutcome::Complete { id, size, next_snapshot_scope: next_scope });
        }
        let listed = own.list(&object_names::partition_folder(partition))?;
        if let Some(newest) = epoch::find_newest_epoch(&listed).filter(|newest| *newest > epoch) {
            return Ok(SnapshotOutcome::Fenced(newest));
        }
        let generations = self.config.kept_checkpoints_per_partition;
        let kept = self.partition_checkpoints_mut(partition).add_completed_manifest(manifest, generations);
        let unneeded = retention::find_unneeded_objects(partition, &listed, kept, id);
        if let Err(fault) = own.delete(&unneeded) {
            warn!(partition, %fault, "old checkpoints could not be deleted; the next one tries again");
        }
        debug!(partition, checkpoint = %id, bytes = size.added_bytes, deleted = unneeded.len(), "checkpoint complete");
        Ok(SnapshotOutcome::Complete {
            id,
            size,
            next_snapshot_scope: self.partition_checkpoints_mut(partition).choose_next_snapshot_scope(),
        })
    }

    fn build_manifest(
        &mut self,
        completion: &SnapshotCompletion,
        id: CheckpointId,
        layer: CheckpointLayer,
    ) -> CheckpointManifest {
        let SnapshotCompletion { shard_metadata: facts, counting_start_fingerprints: beginnings, .. } = completion;
        let partition = completion.fence_token.partition;
        let checkpoints = self.checkpoints_by_partition.entry(partition).or_default();
        let (job, identity) = (&self.job, &self.config.identity);
        let views =
            job.views.iter().zip(&facts.emitted_row_counts).zip(beginnings).map(|((view, &rows), &beginning)| {
                StoredView {
                    name: view.name.to_string(),
                    definition: view.definition_text(&job.schema),
                    rows,
                    beginning,
                }
            });
        CheckpointManifest {
            id,
            taken_at_ms: completion.taken_at_ms,
            windrow: env!("CARGO_PKG_VERSION").to_owned(),
            owner: self.config.process_name.clone(),
            pipeline: identity.pipeline.clone(),
            topic: identity.topic.clone(),
            topic_id: identity.topic_id.clone(),
            partitions: identity.partition_count,
            partition,
            offset: completion.offset,
            watermark_ms: facts.watermark.map(EventTime::ms),
            entities: facts.entity_count as u64,
            slots: facts.slot_count,
            reading: job.describe_decoding_and_lateness(),
            views: views.collect(),
            layers: checkpoints.build_layers_ending_with(completion.scope, layer),
            from: checkpoints.origin_savepoint_place(),
        }
    }
}
