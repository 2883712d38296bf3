//! The worker's side of the threads that open its partitions: the worker starts one thread for each opening, sends
//! commands and receives answers.
//!
//! Owns: how many partitions of a worker are opened at once. Does not own: the steps of an opening (`opening_thread`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::warn;

use super::config::{CheckpointConfig, RestoreSource};
use super::opening_messages::{OpeningAnswer, OpeningCommand};
use super::opening_store::{LastStoreAnswer, OpeningStore, PendingStoreCall};
use super::opening_thread::OpeningThread;
use super::store::CheckpointStore;
use super::store_probe::{StoreProbe, StoreProbeThread};
use crate::halt::CheckpointStoreFault;
use crate::message_channel::{ChannelClosed, MessageReceiver, MessageSender, message_channel};
use crate::{
    Clock, Halt, JobDefinition, OpeningAbandonment, Partition, StopSignal, ThreadBody, ThreadSpawner, WorkerMetrics,
};

const THREAD_NAME: &str = "opening";
const PROBE_THREAD_NAME: &str = "store-probe";

/// The maximum number of threads of one worker that open partitions and make progress. Most of the time of an opening is the
/// latency of the store, so eight openings take little longer than one.
const MAX_ACTIVE_THREADS: usize = 8;
/// The maximum number of opening threads of one worker, also those that hang. A thread whose call hangs counts, also after
/// its opening was abandoned. So a store that hangs cannot fill the process with threads.
const MAX_THREADS: usize = 64;
/// The time without an answer of the store after which a thread counts as hanging, and another opening may begin. It is
/// shorter than the time after which a worker without open partitions leaves its group, so that the others are tried first.
const HANGING_THREAD_AGE: Duration = Duration::from_secs(5);
/// The pause after the operating system could not start a thread.
const FAILED_START_PAUSE: Duration = Duration::from_secs(1);

/// Starts the openings of a worker's partitions.
pub(crate) struct PartitionOpener {
    config: CheckpointConfig,
    job: JobDefinition,
    clock: Arc<dyn Clock>,
    stop_signal: StopSignal,
    thread_spawner: Arc<dyn ThreadSpawner>,
    metrics: Arc<WorkerMetrics>,
    /// For each thread that runs, when the store last answered it.
    running_threads: Arc<Mutex<BTreeMap<u64, LastStoreAnswer>>>,
    last_thread_number: AtomicU64,
    /// When the store last answered any thread.
    last_store_answer: LastStoreAnswer,
    start_failed_at: Mutex<Option<Duration>>,
}

impl PartitionOpener {
    pub(crate) fn new(
        config: CheckpointConfig,
        job: JobDefinition,
        clock: Arc<dyn Clock>,
        stop_signal: StopSignal,
        thread_spawner: Arc<dyn ThreadSpawner>,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            config,
            job,
            clock,
            stop_signal,
            thread_spawner,
            metrics,
            running_threads: Arc::default(),
            last_thread_number: AtomicU64::new(0),
            last_store_answer: LastStoreAnswer::default(),
            start_failed_at: Mutex::default(),
        }
    }

    /// Returns whether another partition can be opened now.
    pub(crate) fn has_free_thread(&self) -> bool {
        let now = self.clock.monotonic_now();
        let threads = self.running_threads.lock();
        let is_active = |answer: &&LastStoreAnswer| {
            answer.answered_at().is_none_or(|at| now.saturating_sub(at) < HANGING_THREAD_AGE)
        };
        threads.len() < MAX_THREADS && threads.values().filter(is_active).count() < MAX_ACTIVE_THREADS
    }

    /// Starts a thread that claims an epoch of `partition` and restores its shard. Returns `None` if no thread is free, or
    /// the operating system cannot start another thread now.
    pub(crate) fn start_opening(&self, partition: Partition) -> Option<PartitionOpening> {
        if !self.has_free_thread() {
            return None;
        }
        let (commands, received_commands) = message_channel(Arc::clone(&self.clock));
        let (sent_answers, answers) = message_channel(Arc::clone(&self.clock));
        let abandonment = OpeningAbandonment::default();
        let (thread_answer, pending_call) = (LastStoreAnswer::default(), PendingStoreCall::default());
        thread_answer.record(self.clock.monotonic_now());
        let thread = OpeningThread {
            partition,
            config: self.config_until_abandoned(&abandonment, &thread_answer, &pending_call),
            job: self.job.clone(),
            clock: Arc::clone(&self.clock),
            stop_signal: self.stop_signal.clone(),
            abandonment: abandonment.clone(),
            metrics: Arc::clone(&self.metrics),
            answers: sent_answers,
        };
        let thread_number = self.last_thread_number.fetch_add(1, Ordering::Relaxed);
        self.running_threads.lock().insert(thread_number, thread_answer);
        let running = RunningThread { thread_number, running_threads: Arc::clone(&self.running_threads) };
        let body = Box::new(move || {
            let _running = running;
            thread.open_partition(&received_commands);
        });
        let opening = PartitionOpening { commands, answers, abandonment, pending_call };
        self.try_spawn_thread(THREAD_NAME, body).then_some(opening)
    }

    /// Returns when the store last answered an opening; `None` before its first answer.
    pub(crate) fn last_store_answer(&self) -> Option<Duration> {
        self.last_store_answer.answered_at()
    }

    /// Starts a thread that calls the store until it answers. Returns `None` if the operating system cannot start another
    /// thread now.
    pub(crate) fn start_store_probe(&self, partition: Partition) -> Option<StoreProbe> {
        let (sent_answer, answer) = message_channel(Arc::clone(&self.clock));
        let abandonment = OpeningAbandonment::default();
        let thread = StoreProbeThread {
            partition,
            config: self.config_until_abandoned(&abandonment, &Default::default(), &Default::default()),
            cleanup_store: Arc::clone(&self.config.checkpoint_store),
            clock: Arc::clone(&self.clock),
            stop_signal: self.stop_signal.clone(),
            abandonment: abandonment.clone(),
            answer: sent_answer,
        };
        self.try_spawn_thread(PROBE_THREAD_NAME, Box::new(move || thread.await_answer())).then_some(StoreProbe {
            answer,
            has_answered: Cell::new(false),
            abandonment,
        })
    }

    /// Starts a thread. Returns false if the operating system cannot start it now.
    fn try_spawn_thread(&self, name: &'static str, body: ThreadBody) -> bool {
        let now = self.clock.monotonic_now();
        if self.start_failed_at.lock().is_some_and(|at| now.saturating_sub(at) < FAILED_START_PAUSE) {
            return false;
        }
        let started = self.thread_spawner.spawn_thread(name, body);
        if let Err(error) = &started {
            warn!(thread = name, %error, "cannot start a thread; trying again");
            *self.start_failed_at.lock() = Some(now);
        }
        started.is_ok()
    }

    /// Returns the settings with stores that begin no further call after `abandonment`.
    fn config_until_abandoned(
        &self,
        abandonment: &OpeningAbandonment,
        thread_answer: &LastStoreAnswer,
        pending_call: &PendingStoreCall,
    ) -> CheckpointConfig {
        let wrap = |store: &Arc<dyn CheckpointStore>| -> Arc<dyn CheckpointStore> {
            Arc::new(OpeningStore {
                store: Arc::clone(store),
                clock: Arc::clone(&self.clock),
                abandonment: abandonment.clone(),
                last_answer_to_thread: thread_answer.clone(),
                last_answer_to_worker: self.last_store_answer.clone(),
                pending_call: pending_call.clone(),
            })
        };
        let restore_source = self.config.restore_source.as_ref();
        CheckpointConfig {
            checkpoint_store: wrap(&self.config.checkpoint_store),
            restore_source: restore_source.map(|from| RestoreSource { source_store: wrap(&from.source_store) }),
            ..self.config.clone()
        }
    }
}

/// A thread that runs. Dropping it removes the thread from the running ones.
struct RunningThread {
    thread_number: u64,
    running_threads: Arc<Mutex<BTreeMap<u64, LastStoreAnswer>>>,
}

impl Drop for RunningThread {
    fn drop(&mut self) {
        self.running_threads.lock().remove(&self.thread_number);
    }
}

/// One opening of a partition, with the channels to its thread. Dropping it abandons the opening.
pub(crate) struct PartitionOpening {
    commands: MessageSender<OpeningCommand>,
    answers: MessageReceiver<OpeningAnswer>,
    abandonment: OpeningAbandonment,
    pending_call: PendingStoreCall,
}

impl PartitionOpening {
    /// Sends `command` without waiting for its execution.
    ///
    /// # Errors
    /// When the thread has ended, which is a bug in Windrow.
    pub(crate) fn send_command(&self, command: OpeningCommand) -> Result<(), Halt> {
        self.commands.send(command).map_err(halt_for_closed_channel)
    }

    /// Returns the next answer without waiting; `None` if no answer has arrived.
    ///
    /// # Errors
    /// When the thread has ended before its last answer, which is a bug in Windrow.
    pub(crate) fn try_receive_answer(&self) -> Result<Option<OpeningAnswer>, Halt> {
        self.answers.try_receive().map_err(halt_for_closed_channel)
    }

    /// Returns whether the thread waits for an answer of the checkpoint store.
    pub(crate) fn waits_for_store(&self) -> bool {
        self.pending_call.is_pending()
    }

    /// Creates an opening that no thread works on.
    #[cfg(test)]
    pub(crate) fn without_thread() -> Self {
        let clock = crate::SystemClock::start_shared();
        let (commands, _) = message_channel(Arc::clone(&clock));
        let (_, answers) = message_channel(clock);
        Self { commands, answers, abandonment: Default::default(), pending_call: Default::default() }
    }
}

impl fmt::Debug for PartitionOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionOpening").finish_non_exhaustive()
    }
}

impl Drop for PartitionOpening {
    fn drop(&mut self) {
        self.abandonment.abandon();
    }
}

/// Returns the halt for a thread that has ended before it was done.
fn halt_for_closed_channel(_: ChannelClosed) -> Halt {
    CheckpointStoreFault::ThreadBrokeDown.into()
}
