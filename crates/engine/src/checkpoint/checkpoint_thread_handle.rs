//! The worker's side of the two channels to its checkpoint thread: the worker sends commands and receives events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::checkpoint_thread::CheckpointThread;
use super::config::CheckpointConfig;
use super::thread_messages::{CheckpointCommand, CheckpointEvent};
use crate::halt::{CheckpointStoreFault, share_error};
use crate::message_channel::{ChannelClosed, MessageReceiver, MessageSender, message_channel};
use crate::{Clock, Halt, JobDefinition, ThreadSpawner};

const THREAD_NAME: &str = "checkpoints";

/// The handle with which a worker sends commands to its checkpoint thread and receives the thread's events. The thread
/// ends after the worker drops the handle.
#[derive(Debug)]
pub(crate) struct CheckpointThreadHandle {
    commands: MessageSender<CheckpointCommand>,
    events: MessageReceiver<CheckpointEvent>,
    unwritten_snapshot_byte_count: Arc<AtomicUsize>,
}

impl CheckpointThreadHandle {
    /// Starts a checkpoint thread through `spawner`.
    pub(crate) fn start_thread(
        spawner: &dyn ThreadSpawner,
        config: CheckpointConfig,
        job: JobDefinition,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Halt> {
        let (commands, received_commands) = message_channel(Arc::clone(&clock));
        let (events_to_worker, events) = message_channel(clock);
        let unwritten_bytes = Arc::new(AtomicUsize::new(0));
        let thread = CheckpointThread::new(config, job, events_to_worker, Arc::clone(&unwritten_bytes));
        spawner.spawn_thread(THREAD_NAME, Box::new(move || thread.execute_commands(&received_commands))).map_err(
            |error| CheckpointStoreFault::ThreadNotStarted { thread: THREAD_NAME, source: share_error(error) },
        )?;
        Ok(Self { commands, events, unwritten_snapshot_byte_count: unwritten_bytes })
    }

    /// Sends `command` to the checkpoint thread without waiting for its execution.
    ///
    /// # Errors
    /// When the checkpoint thread has ended, which is a bug in Windrow.
    pub(crate) fn send_command(&self, command: CheckpointCommand) -> Result<(), Halt> {
        if let CheckpointCommand::WriteStatePart { bytes, .. } = &command {
            self.unwritten_snapshot_byte_count.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        self.commands.send(command).map_err(halt_for_closed_channel)
    }

    /// Returns the next event of the checkpoint thread without waiting; `None` if no event is queued.
    pub(crate) fn try_receive_thread_event(&self) -> Result<Option<CheckpointEvent>, Halt> {
        self.events.try_receive().map_err(halt_for_closed_channel)
    }

    /// Returns the number of snapshot bytes that the worker has sent and the checkpoint thread has not written yet.
    pub(crate) fn unwritten_snapshot_byte_count(&self) -> usize {
        self.unwritten_snapshot_byte_count.load(Ordering::Relaxed)
    }

    /// Waits up to `timeout` for the next event of the checkpoint thread. Returns `None` if no event came in this time.
    pub(crate) fn receive_thread_event_within(&self, timeout: Duration) -> Result<Option<CheckpointEvent>, Halt> {
        self.events.receive_within(timeout).map_err(halt_for_closed_channel)
    }
}

/// Returns the halt for a checkpoint thread that has ended before its worker.
fn halt_for_closed_channel(_: ChannelClosed) -> Halt {
    CheckpointStoreFault::ThreadBrokeDown.into()
}
