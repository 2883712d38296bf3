//! The keeper: a worker's thread for everything that waits for the checkpoint store.
//!
//! Owns: opening partitions, packing and writing state objects, manifests and what follows them. Does not own: shards, nor
//! when a checkpoint is due or may be completed (the worker).
//! Invariants: (1) tasks of one worker are done in their order; (2) every [`Task::Open`], [`Task::Claim`] and [`Task::Complete`] gets
//! exactly one report; (3) a state object that could not be written fails its checkpoint, and nothing else.
//! After a crash: nothing is left but objects without a manifest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use tracing::{debug, warn};
use windrow_core::{Scope, ShardFacts};

use super::manifest::{CheckpointId, Layer, Manifest, Part, ViewState};
use super::open::Found;
use super::savepoint::{self, Request};
use super::{CheckpointStore, Checkpoints, Opened, StoreFault, epoch, names, open, retention, state};
use crate::{Epoch, Halt, Job, Offset, Origin, Partition, Stop};

/// A base is written anew when the changes behind it have become as large, or this many.
const LAYERS_MAX: usize = 20;

/// What a snapshot is taken for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// The job itself, to go on from.
    Checkpoint,
    /// Somebody who asked for a savepoint.
    Savepoint(Arc<Request>),
}

/// What the keeper is to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// Claim a partition in the checkpoint store and restore its shard.
    Open(Partition),
    /// Claim it at the fence too: it will be read from `start` on, where that is known.
    Claim { partition: Partition, start: Option<Offset> },
    /// Write a piece of the partition's snapshot.
    Part { origin: Origin, purpose: Purpose, bytes: Vec<u8> },
    /// The snapshot is whole and may count.
    Complete(Box<Completion>),
    /// The snapshot is given up.
    Forget(Partition),
}

/// A snapshot whose pieces were all handed over.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) origin: Origin,
    pub(crate) purpose: Purpose,
    pub(crate) scope: Scope,
    pub(crate) offset: Offset,
    pub(crate) facts: ShardFacts,
    /// Per view, where the counting of its rows began.
    pub(crate) beginnings: Vec<u64>,
    pub(crate) taken_at_ms: i64,
}

/// What the keeper has done.
#[derive(Debug)]
pub(crate) enum Report {
    /// A partition was restored, up to this offset; or it cannot be.
    Found(Partition, Result<Option<Offset>, Halt>),
    /// A partition may be worked on, or somebody else has claimed it meanwhile, under this epoch.
    Opened(Partition, Result<Result<Box<Opened>, Epoch>, Halt>),
    /// A snapshot ended, the one with this number.
    Ended { origin: Origin, purpose: Purpose, number: u64, outcome: Outcome },
}

/// How a snapshot ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It counts.
    Complete {
        id: CheckpointId,
        /// Bytes of its newest layer, and of all.
        bytes: (u64, u64),
        /// What the next one must hold.
        next: Scope,
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
pub(crate) struct Keeper {
    tasks: Sender<Task>,
    reports: Receiver<Report>,
    waiting: Arc<AtomicUsize>,
}

impl Keeper {
    /// Starts the thread.
    pub(crate) fn start(checkpoints: Checkpoints, job: Job, stop: Stop) -> Result<Self, Halt> {
        let (tasks, inbox) = channel();
        let (outbox, reports) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let desk = Desk { checkpoints, job, stop, books: BTreeMap::new(), outbox, waiting: Arc::clone(&waiting) };
        // Detached: it ends with its worker, and a store that hangs must not keep the process.
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || desk.run(&inbox))
            .map_err(|error| Halt::CheckpointStore(format!("no thread for checkpoints can be started: {error}")))?;
        Ok(Self { tasks, reports, waiting })
    }

    pub(crate) fn ask(&self, task: Task) -> Result<(), Halt> {
        if let Task::Part { bytes, .. } = &task {
            self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        self.tasks.send(task).map_err(|_| broken())
    }

    /// The next report, if there is one.
    pub(crate) fn report(&self) -> Result<Option<Report>, Halt> {
        match self.reports.try_recv() {
            Ok(report) => Ok(Some(report)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(broken()),
        }
    }

    /// Bytes of snapshots that are not written yet.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits a moment for a report.
    pub(crate) fn await_report(&self, patience: Duration) -> Result<Option<Report>, Halt> {
        match self.reports.recv_timeout(patience) {
            Ok(report) => Ok(Some(report)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(broken()),
        }
    }
}

fn broken() -> Halt {
    Halt::CheckpointStore("the thread that keeps checkpoints broke down; this is a bug in Windrow".to_owned())
}

/// What the thread knows of one partition.
#[derive(Debug, Default)]
struct Book {
    /// Restored, and not claimed at the fence yet.
    found: Option<Found>,
    /// Manifests that are kept, oldest first; the last is what changes are added to.
    kept: Vec<Manifest>,
    next_number: u64,
    from: Option<String>,
    draft: Option<Draft>,
}

/// A snapshot under way.
#[derive(Debug)]
struct Draft {
    id: CheckpointId,
    parts: Vec<Part>,
    failed: Option<String>,
}

struct Desk {
    checkpoints: Checkpoints,
    job: Job,
    stop: Stop,
    books: BTreeMap<Partition, Book>,
    outbox: Sender<Report>,
    waiting: Arc<AtomicUsize>,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Task>) {
        while let Ok(task) = inbox.recv() {
            let report = match task {
                Task::Open(partition) => Some(Report::Found(partition, self.find(partition))),
                Task::Claim { partition, start } => Some(Report::Opened(partition, self.claim(partition, start))),
                Task::Part { origin, purpose, bytes } => {
                    let length = bytes.len();
                    self.part(origin, &purpose, &bytes);
                    drop(bytes);
                    self.waiting.fetch_sub(length, Ordering::Relaxed);
                    None
                }
                Task::Complete(completion) => {
                    let draft = self.take_draft(completion.origin);
                    let number = draft.id.number;
                    let outcome = self.complete(&completion, draft).unwrap_or_else(|outcome| outcome);
                    let Completion { origin, purpose, .. } = *completion;
                    Some(Report::Ended { origin, purpose, number, outcome })
                }
                Task::Forget(partition) => {
                    if let Some(book) = self.books.get_mut(&partition) {
                        book.draft = None;
                    }
                    None
                }
            };
            if report.is_some_and(|report| self.outbox.send(report).is_err()) {
                return; // the worker is gone
            }
        }
    }

    fn find(&mut self, partition: Partition) -> Result<Option<Offset>, Halt> {
        let found = open::find(&self.checkpoints, &self.job, partition, &self.stop)?;
        let offset = found.offset();
        self.books.insert(partition, Book { found: Some(found), ..Book::default() });
        Ok(offset)
    }

    fn claim(&mut self, partition: Partition, start: Option<Offset>) -> Result<Result<Box<Opened>, Epoch>, Halt> {
        let found = self.books.get_mut(&partition).and_then(|book| book.found.take()).ok_or_else(broken)?;
        let mut opened = match open::claim(&self.checkpoints, &self.job, partition, found, start, &self.stop)? {
            Ok(opened) => opened,
            Err(theirs) => return Ok(Err(theirs)),
        };
        let book = Book {
            found: None,
            kept: std::mem::take(&mut opened.kept),
            next_number: opened.next_number,
            from: opened.restored.as_ref().and_then(|restored| restored.from.clone()),
            draft: None,
        };
        self.books.insert(partition, book);
        Ok(Ok(Box::new(opened)))
    }

    /// The store that a snapshot goes to.
    fn store<'a>(&'a self, purpose: &'a Purpose) -> &'a dyn CheckpointStore {
        match purpose {
            Purpose::Checkpoint => &*self.checkpoints.store,
            Purpose::Savepoint(request) => &*request.store,
        }
    }

    fn part(&mut self, origin: Origin, purpose: &Purpose, bytes: &[u8]) {
        let mut draft = self.take_draft(origin);
        if draft.failed.is_none() {
            let name = names::state(origin.partition, draft.id, draft.parts.len());
            let written = state::pack(bytes).and_then(|object| {
                let part = Part { name: name.clone(), bytes: object.len() as u64, crc32: state::checksum(&object) };
                match self.store(purpose).create(&name, object.clone()) {
                    Ok(()) => Ok(part),
                    Err(fault) => match self.store(purpose).read(&name) {
                        Ok(Some(found)) if found == object => Ok(part),
                        _ => Err(format!("{name} cannot be written: {fault}")),
                    },
                }
            });
            match written {
                Ok(part) => draft.parts.push(part),
                Err(reason) => draft.failed = Some(reason),
            }
        }
        self.books.entry(origin.partition).or_default().draft = Some(draft);
    }

    /// The partition's snapshot under way, begun here where there is none.
    fn take_draft(&mut self, origin: Origin) -> Draft {
        let book = self.books.entry(origin.partition).or_default();
        book.draft.take().unwrap_or_else(|| {
            // A number is used once, also where its checkpoint fails: what was written under it may be there.
            let id = CheckpointId { epoch: origin.epoch, number: book.next_number };
            book.next_number += 1;
            Draft { id, parts: Vec::new(), failed: None }
        })
    }

    /// Makes a snapshot count; `Err` is any other outcome.
    fn complete(&mut self, completion: &Completion, draft: Draft) -> Result<Outcome, Outcome> {
        let partition = completion.origin.partition;
        let Draft { id, parts, failed } = draft;
        if let Some(reason) = failed {
            return Err(Outcome::Failed(reason));
        }
        let manifest = self.manifest(completion, id, Layer { parts });
        let bytes = manifest.write().map_err(Outcome::Failed)?;
        let size = (manifest.layers.last().map_or(0, Layer::bytes), manifest.bytes());
        let newest = epoch::newest(&*self.checkpoints.store, partition).map_err(failed_by)?;
        if let Some(newest) = newest.filter(|newest| *newest > completion.origin.epoch) {
            return Err(Outcome::Fenced(newest));
        }
        (self.checkpoints.guard)().map_err(Outcome::Halted)?;
        let store = self.store(&completion.purpose);
        let name = names::checkpoint(partition, id);
        if !epoch::create(store, &name, &bytes).map_err(failed_by)? {
            return Err(Outcome::Failed(format!("somebody else has written {name}")));
        }
        if let Purpose::Savepoint(request) = &completion.purpose {
            savepoint::confirm(&*self.checkpoints.store, request, partition).map_err(failed_by)?;
            return Ok(Outcome::Complete { id, bytes: size, next: self.next_scope(partition) });
        }
        let listed = self.checkpoints.store.list(&names::partition(partition)).map_err(failed_by)?;
        let epochs = listed.iter().filter_map(|object| match names::parse(&object.name) {
            names::Named::Epoch(_, epoch) => Some(epoch),
            _ => None,
        });
        if let Some(newest) = epochs.max().filter(|newest| *newest > completion.origin.epoch) {
            return Err(Outcome::Fenced(newest));
        }
        let book = self.books.entry(partition).or_default();
        book.kept.push(manifest);
        let excess = book.kept.len().saturating_sub(self.checkpoints.keep);
        book.kept.drain(..excess);
        let superfluous = retention::superfluous(partition, &listed, &book.kept, id);
        if let Err(fault) = self.checkpoints.store.delete(&superfluous) {
            warn!(partition, %fault, "old checkpoints could not be deleted; the next one tries again");
        }
        debug!(partition, checkpoint = %id, bytes = size.0, deleted = superfluous.len(), "checkpoint complete");
        Ok(Outcome::Complete { id, bytes: size, next: self.next_scope(partition) })
    }

    fn manifest(&self, completion: &Completion, id: CheckpointId, layer: Layer) -> Manifest {
        let (Completion { facts, beginnings, .. }, identity) = (completion, &self.checkpoints.identity);
        let partition = completion.origin.partition;
        let book = self.books.get(&partition);
        let mut layers = match (completion.scope, book.and_then(|book| book.kept.last())) {
            (Scope::Changes, Some(last)) => last.layers.clone(),
            _ => Vec::new(),
        };
        layers.push(layer);
        let views = self.job.views.iter().zip(&facts.rows).zip(beginnings).map(|((view, &rows), &beginning)| {
            ViewState { name: view.name.to_string(), definition: view.definition(&self.job.schema), rows, beginning }
        });
        Manifest {
            id,
            taken_at_ms: completion.taken_at_ms,
            windrow: env!("CARGO_PKG_VERSION").to_owned(),
            owner: self.checkpoints.owner.clone(),
            pipeline: identity.pipeline.clone(),
            topic: identity.topic.clone(),
            topic_id: identity.topic_id.clone(),
            partitions: identity.partitions,
            partition,
            offset: completion.offset,
            watermark_ms: facts.watermark.map(windrow_core::EventTime::ms),
            entities: facts.entities as u64,
            slots: facts.slots,
            reading: self.job.reading(),
            views: views.collect(),
            layers,
            from: book.and_then(|book| book.from.clone()),
        }
    }

    /// What the next checkpoint must hold: changes are worth their while only as long as they stay smaller than the base.
    fn next_scope(&self, partition: Partition) -> Scope {
        let Some(last) = self.books.get(&partition).and_then(|book| book.kept.last()) else { return Scope::Everything };
        let (base, changes) = last
            .layers
            .split_first()
            .map_or((0, 0), |(base, changes)| (base.bytes(), changes.iter().map(Layer::bytes).sum::<u64>()));
        if last.layers.len() < LAYERS_MAX && changes < base { Scope::Changes } else { Scope::Everything }
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn failed_by(fault: StoreFault) -> Outcome {
    Outcome::Failed(fault.to_string())
}
