//! The checkpoint thread: a worker's thread for everything that waits for the checkpoint store.
//!
//! Owns: opening partitions, packing and writing state objects, manifests and what follows them. Does not own: shards, nor
//! when a checkpoint is due or may be completed (the worker).
//! Invariants: (1) commands of one worker are carried out in their order; (2) every
//! [`CheckpointCommand::RestorePartition`], [`CheckpointCommand::ClaimFence`] and [`CheckpointCommand::CompleteSnapshot`]
//! gets exactly one event; (3) a state object that could not be written fails its checkpoint, and nothing else.
//! After a crash: nothing is left but objects without a manifest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use tracing::{debug, warn};
use windrow_core::EventTime;

use super::claim_partition::{claim_partition, restore_partition};
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

/// A worker's end of its checkpoint thread.
#[derive(Debug)]
pub(crate) struct CheckpointThreadHandle {
    commands: Sender<CheckpointCommand>,
    events: Receiver<CheckpointEvent>,
    unwritten_bytes: Arc<AtomicUsize>,
}

impl CheckpointThreadHandle {
    /// Starts the thread.
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
            partitions: BTreeMap::new(),
            events: outbox,
            unwritten_bytes: Arc::clone(&unwritten_bytes),
        };
        // Detached: it ends with its worker, and a store that hangs must not keep the process.
        thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || thread.run(&inbox)).map_err(|error| {
            CheckpointStoreFault::ThreadNotStarted { thread: THREAD_NAME, source: share_error(error) }
        })?;
        Ok(Self { commands, events, unwritten_bytes })
    }

    pub(crate) fn send_command(&self, command: CheckpointCommand) -> Result<(), Halt> {
        if let CheckpointCommand::WriteStatePart { bytes, .. } = &command {
            self.unwritten_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        self.commands.send(command).map_err(|_| CheckpointStoreFault::ThreadBrokeDown.into())
    }

    /// Returns the next event, if there is one.
    pub(crate) fn try_next_event(&self) -> Result<Option<CheckpointEvent>, Halt> {
        match self.events.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(CheckpointStoreFault::ThreadBrokeDown.into()),
        }
    }

    /// Bytes of snapshots that are not written yet.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes.load(Ordering::Relaxed)
    }

    /// Waits for an event, at most for `timeout`.
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
    partitions: BTreeMap<Partition, PartitionCheckpoints>,
    events: Sender<CheckpointEvent>,
    unwritten_bytes: Arc<AtomicUsize>,
}

impl CheckpointThread {
    fn run(mut self, inbox: &Receiver<CheckpointCommand>) {
        while let Ok(command) = inbox.recv() {
            let event = self.carry_out(command);
            if event.is_some_and(|event| self.events.send(event).is_err()) {
                return; // the worker has ended
            }
        }
    }

    fn carry_out(&mut self, command: CheckpointCommand) -> Option<CheckpointEvent> {
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
                self.unwritten_bytes.fetch_sub(length, Ordering::Relaxed);
                None
            }
            CheckpointCommand::CompleteSnapshot(completion) => {
                let draft =
                    self.checkpoints_mut(completion.fence_token.partition).take_draft(completion.fence_token.epoch);
                let number = draft.id.number;
                let outcome = self.complete_snapshot(&completion, draft).unwrap_or_else(SnapshotOutcome::Failed);
                let SnapshotCompletion { fence_token, purpose, .. } = *completion;
                Some(CheckpointEvent::SnapshotEnded { fence_token, purpose, number, outcome })
            }
            CheckpointCommand::DiscardSnapshot(partition) => {
                self.checkpoints_mut(partition).discard_draft();
                None
            }
        }
    }

    fn retry(&self) -> StoreRetry<'_> {
        StoreRetry { config: &self.config, clock: &*self.clock, stop: &self.stop }
    }

    fn checkpoints_mut(&mut self, partition: Partition) -> &mut PartitionCheckpoints {
        self.partitions.entry(partition).or_default()
    }

    fn restore_partition(&mut self, partition: Partition) -> Result<Option<Offset>, Halt> {
        let restored = restore_partition(&self.retry(), &self.job, partition)?;
        let offset = restored.restored.checkpoint_offset();
        self.partitions.insert(partition, PartitionCheckpoints::restored(restored));
        Ok(offset)
    }

    fn claim_fence(&mut self, partition: Partition, start: Option<Offset>) -> Result<OpenOutcome, Halt> {
        let restored = self.checkpoints_mut(partition).restored.take().ok_or(CheckpointStoreFault::ThreadBrokeDown)?;
        let mut outcome = claim_partition(&self.retry(), &self.job, restored, start)?;
        if let OpenOutcome::Opened(opened) = &mut outcome {
            self.partitions.insert(partition, PartitionCheckpoints::opened(opened));
        }
        Ok(outcome)
    }

    /// Returns the store that a snapshot is written to.
    fn target_store<'a>(&'a self, purpose: &'a SnapshotPurpose) -> &'a dyn CheckpointStore {
        match purpose {
            SnapshotPurpose::Checkpoint => &*self.config.store,
            SnapshotPurpose::Savepoint(request) => &*request.store,
        }
    }

    /// Writes a piece of the draft, or makes the draft fail.
    fn write_state_part(&mut self, fence_token: FenceToken, purpose: &SnapshotPurpose, bytes: &[u8]) {
        let FenceToken { partition, epoch } = fence_token;
        let mut draft = self.checkpoints_mut(partition).take_draft(epoch);
        if draft.failure.is_none() {
            let name = object_names::state_object(partition, draft.id, draft.parts.len());
            match self.write_state_object(purpose, name, bytes) {
                Ok(part) => draft.parts.push(part),
                Err(failure) => draft.failure = Some(failure),
            }
        }
        self.checkpoints_mut(partition).put_draft(draft);
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
        let store = self.target_store(purpose);
        if let Err(fault) = store.create(&name, object.clone())
            && !matches!(store.read(&name), Ok(Some(found)) if found == object)
        {
            return Err(SnapshotFailure::NotWritten { object: name, source: fault });
        }
        Ok(StatePart::describe(name, &object))
    }

    /// Completes a snapshot: creates its manifest, unless a larger epoch exists.
    fn complete_snapshot(
        &mut self,
        completion: &SnapshotCompletion,
        draft: CheckpointDraft,
    ) -> Result<SnapshotOutcome, SnapshotFailure> {
        let FenceToken { partition, epoch } = completion.fence_token;
        let CheckpointDraft { id, parts, failure } = draft;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let manifest = self.build_manifest(completion, id, CheckpointLayer { parts });
        let bytes = manifest.encode().map_err(|error| SnapshotFailure::NotRendered { detail: error.to_string() })?;
        let size = CheckpointSize {
            added_bytes: manifest.layers.last().map_or(0, CheckpointLayer::bytes),
            state_bytes: manifest.bytes(),
        };
        let own = Arc::clone(&self.config.store);
        if let Some(newest) = epoch::newest_epoch(&*own, partition)?.filter(|newest| *newest > epoch) {
            return Ok(SnapshotOutcome::Fenced(newest));
        }
        if let Err(halt) = (self.config.topic_check)() {
            return Ok(SnapshotOutcome::Halted(halt));
        }
        let object = object_names::manifest_object(partition, id);
        if !create_or_confirm(self.target_store(&completion.purpose), &object, &bytes)? {
            return Err(SnapshotFailure::WrittenElsewhere { object });
        }
        if let SnapshotPurpose::Savepoint(request) = &completion.purpose {
            savepoint_request::confirm_partition(&*own, request, partition)?;
            let next_scope = self.checkpoints_mut(partition).next_scope();
            return Ok(SnapshotOutcome::Complete { id, size, next_scope });
        }
        let listed = own.list(&object_names::partition_folder(partition))?;
        if let Some(newest) = epoch::newest_listed_epoch(&listed).filter(|newest| *newest > epoch) {
            return Ok(SnapshotOutcome::Fenced(newest));
        }
        let generations = self.config.kept_generations;
        let kept = self.checkpoints_mut(partition).keep_manifest(manifest, generations);
        let unneeded = retention::find_unneeded_objects(partition, &listed, kept, id);
        if let Err(fault) = own.delete(&unneeded) {
            warn!(partition, %fault, "old checkpoints could not be deleted; the next one tries again");
        }
        debug!(partition, checkpoint = %id, bytes = size.added_bytes, deleted = unneeded.len(), "checkpoint complete");
        Ok(SnapshotOutcome::Complete { id, size, next_scope: self.checkpoints_mut(partition).next_scope() })
    }

    fn build_manifest(
        &mut self,
        completion: &SnapshotCompletion,
        id: CheckpointId,
        layer: CheckpointLayer,
    ) -> CheckpointManifest {
        let SnapshotCompletion { facts, beginnings, .. } = completion;
        let partition = completion.fence_token.partition;
        let checkpoints = self.partitions.entry(partition).or_default();
        let (job, identity) = (&self.job, &self.config.identity);
        let views = job.views.iter().zip(&facts.emitted_rows).zip(beginnings).map(|((view, &rows), &beginning)| {
            StoredView { name: view.name.to_string(), definition: view.definition(&job.schema), rows, beginning }
        });
        CheckpointManifest {
            id,
            taken_at_ms: completion.taken_at_ms,
            windrow: env!("CARGO_PKG_VERSION").to_owned(),
            owner: self.config.process_name.clone(),
            pipeline: identity.pipeline.clone(),
            topic: identity.topic.clone(),
            topic_id: identity.topic_id.clone(),
            partitions: identity.partitions,
            partition,
            offset: completion.offset,
            watermark_ms: facts.watermark.map(EventTime::ms),
            entities: facts.entity_count as u64,
            slots: facts.slot_count,
            reading: job.describe_decoding_rules(),
            views: views.collect(),
            layers: checkpoints.add_layer(completion.scope, layer),
            from: checkpoints.savepoint_place(),
        }
    }
}
