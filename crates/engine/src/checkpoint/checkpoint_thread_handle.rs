//! The worker's handle to its checkpoint thread: commands go to the thread, events come from the thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use super::checkpoint_thread::CheckpointThread;
use super::config::CheckpointConfig;
use super::thread_messages::{CheckpointCommand, CheckpointEvent};
use crate::halt::{CheckpointStoreFault, share_error};
use crate::{Clock, Halt, JobDefinition, StopSignal};

const THREAD_NAME: &str = "checkpoints";

/// The handle of a worker to its checkpoint thread. The thread ends after the handle is dropped.
#[derive(Debug)]
pub(crate) struct CheckpointThreadHandle {
    commands: Sender<CheckpointCommand>,
    events: Receiver<CheckpointEvent>,
    unwritten_snapshot_bytes: Arc<AtomicUsize>,
}

impl CheckpointThreadHandle {
    /// Starts a checkpoint thread and returns the worker's handle to it.
    pub(crate) fn start_thread(
        config: CheckpointConfig,
        job: JobDefinition,
        clock: Arc<dyn Clock>,
        stop_signal: StopSignal,
    ) -> Result<Self, Halt> {
        let (commands, received_commands) = channel();
        let (events_to_worker, events) = channel();
        let unwritten_bytes = Arc::new(AtomicUsize::new(0));
        let thread =
            CheckpointThread::new(config, job, clock, stop_signal, events_to_worker, Arc::clone(&unwritten_bytes));
        // Nothing joins the thread, so a checkpoint store that hangs does not keep the process alive.
        thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .spawn(move || thread.execute_commands(&received_commands))
            .map_err(|error| CheckpointStoreFault::ThreadNotStarted {
                thread: THREAD_NAME,
                source: share_error(error),
            })?;
        Ok(Self { commands, events, unwritten_snapshot_bytes: unwritten_bytes })
    }

    /// Queues `command` for the thread.
    ///
    /// # Errors
    /// When the thread has ended, which is a bug.
    pub(crate) fn send_command(&self, command: CheckpointCommand) -> Result<(), Halt> {
        if let CheckpointCommand::WriteStatePart { bytes, .. } = &command {
            self.unwritten_snapshot_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        self.commands.send(command).map_err(|_| CheckpointStoreFault::ThreadBrokeDown.into())
    }

    /// Returns the next event of the thread without waiting; `None` when no event is queued.
    pub(crate) fn try_receive_thread_event(&self) -> Result<Option<CheckpointEvent>, Halt> {
        match self.events.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(CheckpointStoreFault::ThreadBrokeDown.into()),
        }
    }

    /// Returns the number of snapshot bytes that were sent to the thread but are not written yet.
    pub(crate) fn unwritten_snapshot_bytes(&self) -> usize {
        self.unwritten_snapshot_bytes.load(Ordering::Relaxed)
    }

    /// Waits for the next event of the thread; returns `None` after `timeout`.
    pub(crate) fn receive_thread_event_within(&self, timeout: Duration) -> Result<Option<CheckpointEvent>, Halt> {
        match self.events.recv_timeout(timeout) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(CheckpointStoreFault::ThreadBrokeDown.into()),
        }
    }
}
