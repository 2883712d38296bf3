//! The worker's side of the threads that open its partitions: the worker starts one thread for each opening, sends
//! commands and receives answers.
//!
//! Owns: how many partitions of a worker are opened at once. Does not own: the steps of an opening (`opening_thread`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::config::{CheckpointConfig, RestoreSource};
use super::opening_messages::{OpeningAnswer, OpeningCommand};
use super::opening_store::{LastStoreAnswer, OpeningAbandonment, OpeningStore};
use super::opening_thread::OpeningThread;
use super::store::CheckpointStore;
use super::store_probe::{StoreProbe, StoreProbeThread};
use crate::halt::{CheckpointStoreFault, share_error};
use crate::message_channel::{ChannelClosed, MessageReceiver, MessageSender, message_channel};
use crate::{Clock, Halt, JobDefinition, Partition, StopSignal, ThreadBody, ThreadSpawner};

const THREAD_NAME: &str = "opening";
const PROBE_THREAD_NAME: &str = "store-probe";

/// The maximum number of threads that open partitions of one worker. Most of the time of an opening is the latency of the
/// store, so eight openings take little longer than one. A thread whose call of the store hangs counts too, also after its
/// opening was abandoned. So a store that hangs cannot fill the process with threads.
const MAX_OPENING_THREADS: usize = 8;

/// Starts the openings of a worker's partitions.
pub(crate) struct PartitionOpener {
    config: CheckpointConfig,
    job: JobDefinition,
    clock: Arc<dyn Clock>,
    stop_signal: StopSignal,
    thread_spawner: Arc<dyn ThreadSpawner>,
    running_thread_count: Arc<AtomicUsize>,
    last_store_answer: LastStoreAnswer,
}

impl PartitionOpener {
    pub(crate) fn new(
        config: CheckpointConfig,
        job: JobDefinition,
        clock: Arc<dyn Clock>,
        stop_signal: StopSignal,
        thread_spawner: Arc<dyn ThreadSpawner>,
    ) -> Self {
        let (running_thread_count, last_store_answer) = (Arc::default(), LastStoreAnswer::default());
        Self { config, job, clock, stop_signal, thread_spawner, running_thread_count, last_store_answer }
    }

    /// Returns whether another partition can be opened now.
    pub(crate) fn has_free_thread(&self) -> bool {
        self.running_thread_count.load(Ordering::Acquire) < MAX_OPENING_THREADS
    }

    /// Starts a thread that claims an epoch of `partition` and restores its shard.
    ///
    /// # Errors
    /// When the operating system cannot start another thread.
    pub(crate) fn start_opening(&self, partition: Partition) -> Result<PartitionOpening, Halt> {
        let (commands, received_commands) = message_channel(Arc::clone(&self.clock));
        let (sent_answers, answers) = message_channel(Arc::clone(&self.clock));
        let abandonment = OpeningAbandonment::default();
        let thread = OpeningThread {
            partition,
            config: self.config_until_abandoned(&abandonment),
            job: self.job.clone(),
            clock: Arc::clone(&self.clock),
            stop_signal: self.stop_signal.clone(),
            abandonment: abandonment.clone(),
            answers: sent_answers,
        };
        let running = RunningThread::count_in(&self.running_thread_count);
        let body = Box::new(move || {
            let _running = running;
            thread.open_partition(&received_commands);
        });
        self.spawn_thread(THREAD_NAME, body)?;
        Ok(PartitionOpening { commands, answers, abandonment })
    }

    /// Returns when the store last answered an opening; `None` before its first answer.
    pub(crate) fn last_store_answer(&self) -> Option<Duration> {
        self.last_store_answer.answered_at()
    }

    /// Starts a thread that calls the store until it answers.
    ///
    /// # Errors
    /// When the operating system cannot start another thread.
    pub(crate) fn start_store_probe(&self, partition: Partition) -> Result<StoreProbe, Halt> {
        let (sent_answer, answer) = message_channel(Arc::clone(&self.clock));
        let abandonment = OpeningAbandonment::default();
        let thread = StoreProbeThread {
            partition,
            config: self.config_until_abandoned(&abandonment),
            clock: Arc::clone(&self.clock),
            stop_signal: self.stop_signal.clone(),
            abandonment: abandonment.clone(),
            answer: sent_answer,
        };
        self.spawn_thread(PROBE_THREAD_NAME, Box::new(move || thread.await_answer()))?;
        Ok(StoreProbe { answer, abandonment })
    }

    /// Returns the settings with stores that begin no further call after `abandonment`.
    fn config_until_abandoned(&self, abandonment: &OpeningAbandonment) -> CheckpointConfig {
        let wrap = |store: &Arc<dyn CheckpointStore>| -> Arc<dyn CheckpointStore> {
            Arc::new(OpeningStore {
                store: Arc::clone(store),
                clock: Arc::clone(&self.clock),
                abandonment: abandonment.clone(),
                last_store_answer: self.last_store_answer.clone(),
            })
        };
        let restore_source = self.config.restore_source.as_ref();
        CheckpointConfig {
            checkpoint_store: wrap(&self.config.checkpoint_store),
            restore_source: restore_source.map(|from| RestoreSource { source_store: wrap(&from.source_store) }),
            ..self.config.clone()
        }
    }

    fn spawn_thread(&self, thread: &'static str, body: ThreadBody) -> Result<(), Halt> {
        self.thread_spawner
            .spawn_thread(thread, body)
            .map_err(|error| CheckpointStoreFault::ThreadNotStarted { thread, source: share_error(error) }.into())
    }
}

/// Counts a thread while it runs.
struct RunningThread(Arc<AtomicUsize>);

impl RunningThread {
    fn count_in(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for RunningThread {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One opening of a partition, with the channels to its thread. Dropping it abandons the opening.
pub(crate) struct PartitionOpening {
    commands: MessageSender<OpeningCommand>,
    answers: MessageReceiver<OpeningAnswer>,
    abandonment: OpeningAbandonment,
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

    /// Creates an opening that no thread works on.
    #[cfg(test)]
    pub(crate) fn without_thread() -> Self {
        let clock = crate::SystemClock::start_shared();
        let (commands, _) = message_channel(Arc::clone(&clock));
        let (_, answers) = message_channel(clock);
        Self { commands, answers, abandonment: OpeningAbandonment::default() }
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
