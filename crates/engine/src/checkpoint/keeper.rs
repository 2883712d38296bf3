//! The keeper: a worker's thread for everything that waits for the checkpoint store.
//!
//! Owns: opening partitions, packing and writing state objects, manifests and what follows them. Does not own: shards, nor
//! when a checkpoint is due or may be completed (the worker).
//! Invariants: (1) tasks of one worker are done in their order; (2) every [`CheckpointCommand::RestorePartition`], [`CheckpointCommand::Claim`] and [`CheckpointCommand::CompleteSnapshot`] gets
//! exactly one report; (3) a state object that could not be written fails its checkpoint, and nothing else.
//! After a crash: nothing is left but objects without a manifest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use tracing::{debug, warn};
use windrow_core::{ShardMetadata, SnapshotScope};

use super::manifest::{CheckpointId, CheckpointLayer, CheckpointManifest, StatePart, StoredView};
use super::open::RestoredShard;
use super::savepoint::{self, SavepointRequest};
use super::{CheckpointConfig, CheckpointStore, OpenedPartition, StoreFault, epoch, names, open, retention, state};
use crate::{Epoch, FenceToken, Halt, JobDefinition, Offset, Partition, StopSignal};

/// A base is written anew when the changes behind it have become as large, or this many.
const LAYERS_MAX: usize = 20;

/// What a snapshot is taken for.
#[derive(Clone, Debug)]
pub(crate) enum SnapshotPurpose {
    /// The job itself, to go on from.
    Checkpoint,
    /// Somebody who asked for a savepoint.
    Savepoint(Arc<SavepointRequest>),
}

/// What the keeper is to do.
#[derive(Debug)]
pub(crate) enum CheckpointCommand {
    /// Claim a partition in the checkpoint store and restore its shard.
    RestorePartition(Partition),
    /// Claim it at the fence too: it will be read from `start` on, where that is known.
    ClaimFence { partition: Partition, start: Option<Offset> },
    /// Write a piece of the partition's snapshot.
    WriteStatePart { fence_token: FenceToken, purpose: SnapshotPurpose, bytes: Vec<u8> },
    /// The snapshot is whole and may count.
    CompleteSnapshot(Box<SnapshotCompletion>),
    /// The snapshot is given up.
    DiscardSnapshot(Partition),
}

/// A snapshot whose pieces were all handed over.
#[derive(Debug)]
pub(crate) struct SnapshotCompletion {
    pub(crate) fence_token: FenceToken,
    pub(crate) purpose: SnapshotPurpose,
    pub(crate) scope: SnapshotScope,
    pub(crate) offset: Offset,
    pub(crate) facts: ShardMetadata,
    /// Per view, where the counting of its rows began.
    pub(crate) beginnings: Vec<u64>,
    pub(crate) taken_at_ms: i64,
}

/// What the keeper has done.
#[derive(Debug)]
pub(crate) enum CheckpointEvent {
    /// A partition was restored, up to this offset; or it cannot be.
    PartitionRestored(Partition, Result<Option<Offset>, Halt>),
    /// A partition may be worked on, or somebody else has claimed it meanwhile, under this epoch.
    FenceClaimed(Partition, Result<Result<Box<OpenedPartition>, Epoch>, Halt>),
    /// A snapshot ended, the one with this number.
    SnapshotEnded { fence_token: FenceToken, purpose: SnapshotPurpose, number: u64, outcome: SnapshotOutcome },
}

/// How a snapshot ended.
#[derive(Debug)]
pub(crate) enum SnapshotOutcome {
    /// It counts.
    Complete {
        id: CheckpointId,
        /// Bytes of its newest layer, and of all.
        bytes: (u64, u64),
        /// What the next one must hold.
        next_scope: SnapshotScope,
    },
    /// The store failed, for this reason; the next attempt may succeed.
    Failed(String),
    /// Somebody claimed the partition under this larger epoch.
    Fenced(Epoch),
    /// Nothing may go on.
    Halted(Halt),
}

/// A worker's end of its keeper.
#[derive(Debug)]
pub(crate) struct CheckpointThreadHandle {
    commands: Sender<CheckpointCommand>,
    events: Receiver<CheckpointEvent>,
    unwritten_bytes: Arc<AtomicUsize>,
}

impl CheckpointThreadHandle {
    /// Starts the thread.
    pub(crate) fn start(config: CheckpointConfig, job: JobDefinition, stop: StopSignal) -> Result<Self, Halt> {
        let (tasks, inbox) = channel();
        let (outbox, reports) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let desk = CheckpointThread {
            config,
            job,
            stop,
            partitions: BTreeMap::new(),
            events: outbox,
            unwritten_bytes: Arc::clone(&waiting),
        };
        // Detached: it ends with its worker, and a store that hangs must not keep the process.
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || desk.run(&inbox))
            .map_err(|error| Halt::CheckpointStore(format!("no thread for checkpoints can be started: {error}")))?;
        Ok(Self { commands: tasks, events: reports, unwritten_bytes: waiting })
    }

    pub(crate) fn send_command(&self, command: CheckpointCommand) -> Result<(), Halt> {
        if let CheckpointCommand::WriteStatePart { bytes, .. } = &command {
            self.unwritten_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        self.commands.send(command).map_err(|_| thread_broke_down())
    }

    /// The next report, if there is one.
    pub(crate) fn try_next_event(&self) -> Result<Option<CheckpointEvent>, Halt> {
        match self.events.try_recv() {
            Ok(report) => Ok(Some(report)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(thread_broke_down()),
        }
    }

    /// Bytes of snapshots that are not written yet.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes.load(Ordering::Relaxed)
    }

    /// Waits a moment for a report.
    pub(crate) fn wait_for_event(&self, timeout: Duration) -> Result<Option<CheckpointEvent>, Halt> {
        match self.events.recv_timeout(timeout) {
            Ok(report) => Ok(Some(report)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(thread_broke_down()),
        }
    }
}

fn thread_broke_down() -> Halt {
    Halt::CheckpointStore("the thread that keeps checkpoints broke down; this is a bug in Windrow".to_owned())
}

/// What the thread knows of one partition.
#[derive(Debug, Default)]
struct PartitionCheckpoints {
    /// Restored, and not claimed at the fence yet.
    restored_shard: Option<RestoredShard>,
    /// Manifests that are kept, oldest first; the last is what changes are added to.
    kept_manifests: Vec<CheckpointManifest>,
    next_number: u64,
    savepoint_place: Option<String>,
    draft: Option<CheckpointDraft>,
}

/// A snapshot under way.
#[derive(Debug)]
struct CheckpointDraft {
    id: CheckpointId,
    parts: Vec<StatePart>,
    failure: Option<String>,
}

struct CheckpointThread {
    config: CheckpointConfig,
    job: JobDefinition,
    stop: StopSignal,
    partitions: BTreeMap<Partition, PartitionCheckpoints>,
    events: Sender<CheckpointEvent>,
    unwritten_bytes: Arc<AtomicUsize>,
}

impl CheckpointThread {
    fn run(mut self, inbox: &Receiver<CheckpointCommand>) {
        while let Ok(task) = inbox.recv() {
            let report = match task {
                CheckpointCommand::RestorePartition(partition) => {
                    Some(CheckpointEvent::PartitionRestored(partition, self.restore_partition(partition)))
                }
                CheckpointCommand::ClaimFence { partition, start } => {
                    Some(CheckpointEvent::FenceClaimed(partition, self.claim_fence(partition, start)))
                }
                CheckpointCommand::WriteStatePart { fence_token: origin, purpose, bytes } => {
                    let length = bytes.len();
                    self.write_state_part(origin, &purpose, &bytes);
                    drop(bytes);
                    self.unwritten_bytes.fetch_sub(length, Ordering::Relaxed);
                    None
                }
                CheckpointCommand::CompleteSnapshot(completion) => {
                    let draft = self.take_draft(completion.fence_token);
                    let number = draft.id.number;
                    let outcome = self.complete_snapshot(&completion, draft).unwrap_or_else(|outcome| outcome);
                    let SnapshotCompletion { fence_token: origin, purpose, .. } = *completion;
                    Some(CheckpointEvent::SnapshotEnded { fence_token: origin, purpose, number, outcome })
                }
                CheckpointCommand::DiscardSnapshot(partition) => {
                    if let Some(book) = self.partitions.get_mut(&partition) {
                        book.draft = None;
                    }
                    None
                }
            };
            if report.is_some_and(|report| self.events.send(report).is_err()) {
                return; // the worker is gone
            }
        }
    }

    fn restore_partition(&mut self, partition: Partition) -> Result<Option<Offset>, Halt> {
        let found = open::restore_partition(&self.config, &self.job, partition, &self.stop)?;
        let offset = found.checkpoint_offset();
        self.partitions
            .insert(partition, PartitionCheckpoints { restored_shard: Some(found), ..PartitionCheckpoints::default() });
        Ok(offset)
    }

    fn claim_fence(
        &mut self,
        partition: Partition,
        start: Option<Offset>,
    ) -> Result<Result<Box<OpenedPartition>, Epoch>, Halt> {
        let found = self
            .partitions
            .get_mut(&partition)
            .and_then(|book| book.restored_shard.take())
            .ok_or_else(thread_broke_down)?;
        let mut opened = match open::claim_partition(&self.config, &self.job, partition, found, start, &self.stop)? {
            Ok(opened) => opened,
            Err(theirs) => return Ok(Err(theirs)),
        };
        let book = PartitionCheckpoints {
            restored_shard: None,
            kept_manifests: std::mem::take(&mut opened.kept_manifests),
            next_number: opened.next_number,
            savepoint_place: opened.restored_from.as_ref().and_then(|restored| restored.savepoint_place.clone()),
            draft: None,
        };
        self.partitions.insert(partition, book);
        Ok(Ok(Box::new(opened)))
    }

    /// The store that a snapshot goes to.
    fn target_store<'a>(&'a self, purpose: &'a SnapshotPurpose) -> &'a dyn CheckpointStore {
        match purpose {
            SnapshotPurpose::Checkpoint => &*self.config.store,
            SnapshotPurpose::Savepoint(request) => &*request.store,
        }
    }

    fn write_state_part(&mut self, fence_token: FenceToken, purpose: &SnapshotPurpose, bytes: &[u8]) {
        let mut draft = self.take_draft(fence_token);
        if draft.failure.is_none() {
            let name = names::state_object(fence_token.partition, draft.id, draft.parts.len());
            let written = state::pack_state(bytes).and_then(|object| {
                let part = StatePart {
                    name: name.clone(),
                    bytes: object.len() as u64,
                    crc32: state::object_checksum(&object),
                };
                match self.target_store(purpose).create(&name, object.clone()) {
                    Ok(()) => Ok(part),
                    Err(fault) => match self.target_store(purpose).read(&name) {
                        Ok(Some(found)) if found == object => Ok(part),
                        _ => Err(format!("{name} cannot be written: {fault}")),
                    },
                }
            });
            match written {
                Ok(part) => draft.parts.push(part),
                Err(reason) => draft.failure = Some(reason),
            }
        }
        self.partitions.entry(fence_token.partition).or_default().draft = Some(draft);
    }

    /// The partition's snapshot under way, begun here where there is none.
    fn take_draft(&mut self, fence_token: FenceToken) -> CheckpointDraft {
        let book = self.partitions.entry(fence_token.partition).or_default();
        book.draft.take().unwrap_or_else(|| {
            // A number is used once, also where its checkpoint fails: what was written under it may be there.
            let id = CheckpointId { epoch: fence_token.epoch, number: book.next_number };
            book.next_number += 1;
            CheckpointDraft { id, parts: Vec::new(), failure: None }
        })
    }

    /// Makes a snapshot count; `Err` is any other outcome.
    fn complete_snapshot(
        &mut self,
        completion: &SnapshotCompletion,
        draft: CheckpointDraft,
    ) -> Result<SnapshotOutcome, SnapshotOutcome> {
        let partition = completion.fence_token.partition;
        let CheckpointDraft { id, parts, failure: failed } = draft;
        if let Some(reason) = failed {
            return Err(SnapshotOutcome::Failed(reason));
        }
        let manifest = self.build_manifest(completion, id, CheckpointLayer { parts });
        let bytes = manifest.encode().map_err(SnapshotOutcome::Failed)?;
        let size = (manifest.layers.last().map_or(0, CheckpointLayer::bytes), manifest.bytes());
        let newest = epoch::newest_epoch(&*self.config.store, partition).map_err(store_failed)?;
        if let Some(newest) = newest.filter(|newest| *newest > completion.fence_token.epoch) {
            return Err(SnapshotOutcome::Fenced(newest));
        }
        (self.config.topic_check)().map_err(SnapshotOutcome::Halted)?;
        let store = self.target_store(&completion.purpose);
        let name = names::manifest_object(partition, id);
        if !epoch::create_or_confirm(store, &name, &bytes).map_err(store_failed)? {
            return Err(SnapshotOutcome::Failed(format!("somebody else has written {name}")));
        }
        if let SnapshotPurpose::Savepoint(request) = &completion.purpose {
            savepoint::confirm_partition(&*self.config.store, request, partition).map_err(store_failed)?;
            return Ok(SnapshotOutcome::Complete { id, bytes: size, next_scope: self.next_scope(partition) });
        }
        let listed = self.config.store.list(&names::partition_folder(partition)).map_err(store_failed)?;
        let epochs = listed.iter().filter_map(|object| match names::parse_object_name(&object.name) {
            names::ParsedObjectName::Epoch(_, epoch) => Some(epoch),
            _ => None,
        });
        if let Some(newest) = epochs.max().filter(|newest| *newest > completion.fence_token.epoch) {
            return Err(SnapshotOutcome::Fenced(newest));
        }
        let book = self.partitions.entry(partition).or_default();
        book.kept_manifests.push(manifest);
        let excess = book.kept_manifests.len().saturating_sub(self.config.kept_generations);
        book.kept_manifests.drain(..excess);
        let superfluous = retention::find_unneeded_objects(partition, &listed, &book.kept_manifests, id);
        if let Err(fault) = self.config.store.delete(&superfluous) {
            warn!(partition, %fault, "old checkpoints could not be deleted; the next one tries again");
        }
        debug!(partition, checkpoint = %id, bytes = size.0, deleted = superfluous.len(), "checkpoint complete");
        Ok(SnapshotOutcome::Complete { id, bytes: size, next_scope: self.next_scope(partition) })
    }

    fn build_manifest(
        &self,
        completion: &SnapshotCompletion,
        id: CheckpointId,
        layer: CheckpointLayer,
    ) -> CheckpointManifest {
        let (SnapshotCompletion { facts, beginnings, .. }, identity) = (completion, &self.config.identity);
        let partition = completion.fence_token.partition;
        let book = self.partitions.get(&partition);
        let mut layers = match (completion.scope, book.and_then(|book| book.kept_manifests.last())) {
            (SnapshotScope::Changes, Some(last)) => last.layers.clone(),
            _ => Vec::new(),
        };
        layers.push(layer);
        let views =
            self.job.views.iter().zip(&facts.emitted_rows).zip(beginnings).map(|((view, &rows), &beginning)| {
                StoredView {
                    name: view.name.to_string(),
                    definition: view.definition(&self.job.schema),
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
            partitions: identity.partitions,
            partition,
            offset: completion.offset,
            watermark_ms: facts.watermark.map(windrow_core::EventTime::ms),
            entities: facts.entity_count as u64,
            slots: facts.slot_count,
            reading: self.job.describe_decoding_rules(),
            views: views.collect(),
            layers,
            from: book.and_then(|book| book.savepoint_place.clone()),
        }
    }

    /// What the next checkpoint must hold: changes are worth their while only as long as they stay smaller than the base.
    fn next_scope(&self, partition: Partition) -> SnapshotScope {
        let Some(last) = self.partitions.get(&partition).and_then(|book| book.kept_manifests.last()) else {
            return SnapshotScope::Everything;
        };
        let (base, changes) = last
            .layers
            .split_first()
            .map_or((0, 0), |(base, changes)| (base.bytes(), changes.iter().map(CheckpointLayer::bytes).sum::<u64>()));
        if last.layers.len() < LAYERS_MAX && changes < base {
            SnapshotScope::Changes
        } else {
            SnapshotScope::Everything
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn store_failed(fault: StoreFault) -> SnapshotOutcome {
    SnapshotOutcome::Failed(fault.to_string())
}
