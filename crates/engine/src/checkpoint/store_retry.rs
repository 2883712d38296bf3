//! Retries an operation of the checkpoint store while the store is unreachable, until a stop is requested or the worker
//! abandons the opening that needs it.

use std::time::Duration;

use tracing::warn;

use super::config::CheckpointConfig;
use super::store::StoreFault;
use crate::halt::{CheckpointStoreFault, UnreachableService, share_error};
use crate::{
    Clock, FaultClass, Halt, HeldOffsets, LogHistoryFault, LogPosition, OpeningAbandonment, Partition, RetryBackoff,
    StopSignal,
};

const SHORTEST_RETRY_DELAY: Duration = Duration::from_millis(200);
const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(5);
/// The time between two log lines about the same outage of the checkpoint store.
const OUTAGE_LOG_INTERVAL: Duration = Duration::from_secs(30);
/// The time between two checks whether a stop was requested, during the delay before the next attempt.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Why the delay before a retry has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RetryDelayEnd {
    RetryDue,
    /// A stop was requested, or the opening was abandoned.
    NoLongerAwaited,
}

#[derive(Clone, Copy)]
pub(super) struct StoreRetry<'a> {
    pub(super) checkpoint_config: &'a CheckpointConfig,
    pub(super) clock: &'a dyn Clock,
    pub(super) stop_signal: &'a StopSignal,
    pub(super) abandonment: &'a OpeningAbandonment,
}

impl StoreRetry<'_> {
    /// Returns a halt, which has no receiver, if the worker has abandoned the opening.
    ///
    /// # Errors
    /// [`Halt::Unreachable`] if the opening is abandoned.
    pub(super) fn fail_if_abandoned(&self) -> Result<(), Halt> {
        if !self.abandonment.is_abandoned() {
            return Ok(());
        }
        let place = self.checkpoint_config.checkpoint_store.place().to_owned();
        let source = StoreFault::Failed(share_error("the worker no longer opens the partition"));
        Err(UnreachableService::StoppedWaitingForCheckpointStore { place, source }.into())
    }

    /// Calls [`crate::LogHistory::find_shared_offsets`], and calls it again while the log does not answer, until a stop
    /// is requested or the opening is abandoned.
    ///
    /// # Errors
    /// [`Halt::Unreachable`] when a stop was requested while the log did not answer. Another halt when the log has lost
    /// records and the pipeline does not allow it.
    pub(super) fn find_shared_offsets(
        &self,
        partition: Partition,
        position: LogPosition,
    ) -> Result<Option<HeldOffsets>, Halt> {
        let mut backoff = RetryBackoff::new(SHORTEST_RETRY_DELAY, LONGEST_RETRY_DELAY);
        let mut logged_at = None;
        loop {
            let fault = match self.checkpoint_config.log_history.find_shared_offsets(partition, position) {
                Ok(shared) => return Ok(shared),
                Err(LogHistoryFault::Halted(halt)) => return Err(halt),
                Err(LogHistoryFault::NoAnswer(fault)) => fault,
            };
            let now = self.clock.monotonic_now();
            let is_awaited = !self.abandonment.is_abandoned();
            if is_awaited && logged_at.is_none_or(|at| now.saturating_sub(at) >= OUTAGE_LOG_INTERVAL) {
                warn!(partition, %fault, "waiting for the source to tell whether it still holds the records that were read");
                logged_at = Some(now);
            }
            if self.sleep_until_retry(now + backoff.next_delay()) == RetryDelayEnd::NoLongerAwaited {
                return Err(UnreachableService::StoppedWaitingForLogHistory { partition, source: fault }.into());
            }
        }
    }

    /// Sleeps until the monotonic time `resume`, a stop is requested or the opening is abandoned.
    fn sleep_until_retry(&self, resume: Duration) -> RetryDelayEnd {
        while self.clock.monotonic_now() < resume {
            if self.stop_signal.is_requested() || self.abandonment.is_abandoned() {
                return RetryDelayEnd::NoLongerAwaited;
            }
            self.clock.sleep(STOP_POLL_INTERVAL);
        }
        RetryDelayEnd::RetryDue
    }

    /// Calls `operation`, and calls it again after each transient fault, until a stop is requested or the opening is
    /// abandoned. The delay between two calls grows up to [`LONGEST_RETRY_DELAY`].
    ///
    /// # Errors
    /// [`Halt::CheckpointStore`] when the store refuses the operation. [`Halt::Unreachable`] when a stop was requested
    /// or the opening was abandoned in the delay after a transient fault.
    pub(super) fn retry_while_unreachable<T>(
        &self,
        mut operation: impl FnMut() -> Result<T, StoreFault>,
    ) -> Result<T, Halt> {
        let place = self.checkpoint_config.checkpoint_store.place();
        let clock = self.clock;
        let mut backoff = RetryBackoff::new(SHORTEST_RETRY_DELAY, LONGEST_RETRY_DELAY);
        let mut logged_at = None;
        loop {
            let fault = match operation() {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            if fault.fault_class() != FaultClass::Transient {
                return Err(CheckpointStoreFault::Refused { place: place.to_owned(), source: fault }.into());
            }
            let now = clock.monotonic_now();
            let is_awaited = !self.abandonment.is_abandoned();
            if is_awaited && logged_at.is_none_or(|at| now.saturating_sub(at) >= OUTAGE_LOG_INTERVAL) {
                warn!(store = place, %fault, "waiting for the checkpoint store");
                logged_at = Some(now);
            }
            if self.sleep_until_retry(now + backoff.next_delay()) == RetryDelayEnd::NoLongerAwaited {
                let place = place.to_owned();
                return Err(UnreachableService::StoppedWaitingForCheckpointStore { place, source: fault }.into());
            }
        }
    }
}
