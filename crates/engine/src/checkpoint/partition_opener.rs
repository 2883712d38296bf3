//! The worker's side of the threads that open its partitions: the worker starts one thread for each opening, sends
//! commands and receives answers.
//!
//! Owns: how many partitions of a worker are opened at once. Does not own: the steps of an opening (`opening_thread`).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::config::{CheckpointConfig, RestoreSource};
use super::opening_messages::{OpeningAnswer, OpeningCommand};
use super::opening_store::{LastStoreAnswer, OpeningAbandonment, OpeningStore};
use super::opening_thread::OpeningThread;
use super::store::CheckpointStore;
use crate::halt::{CheckpointStoreFault, share_error};
use crate::message_channel::{ChannelClosed, MessageReceiver, MessageSender, message_channel};
use crate::{Clock, Halt, JobDefinition, Partition, StopSignal, ThreadSpawner};

const THREAD_NAME: &str = "opening";

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
        let wrap = |store: &Arc<dyn CheckpointStore>| -> Arc<dyn CheckpointStore> {
            Arc::new(OpeningStore {
                store: Arc::clone(store),
                clock: Arc::clone(&self.clock),
                abandonment: abandonment.clone(),
                last_store_answer: self.last_store_answer.clone(),
            })
        };
        let restore_source = self.config.restore_source.as_ref();
        let thread = OpeningThread {
            partition,
            config: CheckpointConfig {
                checkpoint_store: wrap(&self.config.checkpoint_store),
                restore_source: restore_source.map(|from| RestoreSource { source_store: wrap(&from.source_store) }),
                ..self.config.clone()
            },
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
        self.thread_spawner.spawn_thread(THREAD_NAME, body).map_err(|error| {
            CheckpointStoreFault::ThreadNotStarted { thread: THREAD_NAME, source: share_error(error) }
        })?;
        Ok(PartitionOpening { commands, answers, abandonment })
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
