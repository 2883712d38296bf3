//! The thread that writes to Redis.
//!
//! Owns: when to reconnect, to retry and to end. Does not own: the contents of transactions; the memory and order of
//! rows (the queue).
//! After a crash: all state of the thread is lost. The next owners of the partitions compute and write the rows that
//! Redis had not acknowledged.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use windrow_engine::halt::OutputFault;
use windrow_engine::{ClaimOutcome, GrantedClaim};

use super::acknowledgement::AcknowledgementWait;
use super::connection::{ConnectionIdentity, RedisConnection};
use super::queue::{WriteQueue, WriterTask};
use super::retry_pause::JitteredRetryBackoff;
use super::transaction::{AttemptOutcome, BatchWriteOutcome, FenceClaimResult, TransactionClient};
use crate::redis::address::RedisAddress;
use crate::redis::fault::{RedisFault, halt_for_fault};
use crate::redis::fence::claim::PendingClaim;
use crate::redis::fence::granted::GrantedFences;
use crate::redis::observe::outage_log::{log_missing_acknowledgement, log_outage, log_recovery};
use crate::redis::observe::refused_row_log::RateLimitedRefusedRowLog;
use crate::redis::rows::batch::InFlightBatch;
use crate::redis::settings::RedisWriterSettings;

/// The state of the writer thread.
pub(crate) struct WriterThread {
    address: RedisAddress,
    settings: RedisWriterSettings,
    queue: Arc<WriteQueue>,
    granted_fences: GrantedFences,
    client: Option<TransactionClient>,
    acknowledgement: AcknowledgementWait,
    /// The last connection that the writer gave up. Delayed commands of this connection may still reach Redis until the
    /// connection is killed.
    abandoned_connection: Option<ConnectionIdentity>,
    retry_pause: JitteredRetryBackoff,
    refused_row_log: RateLimitedRefusedRowLog,
}

/// The writer must end, because the close deadline has passed or Redis is unusable.
struct WriterMustEnd;

impl WriterThread {
    pub(crate) fn new(
        address: RedisAddress,
        settings: RedisWriterSettings,
        queue: Arc<WriteQueue>,
        granted_fences: GrantedFences,
        client: TransactionClient,
        acknowledgement: AcknowledgementWait,
    ) -> Self {
        let retry_pause = JitteredRetryBackoff::new(&settings);
        Self {
            address,
            settings,
            queue,
            granted_fences,
            client: Some(client),
            acknowledgement,
            abandoned_connection: None,
            retry_pause,
            refused_row_log: RateLimitedRefusedRowLog::default(),
        }
    }

    /// Executes tasks from the queue. Ends after the queue was closed, or if a fault makes Redis unusable.
    pub(crate) fn run(mut self) {
        let _end_queue = MarkWriterEndedOnDrop(Arc::clone(&self.queue));
        while let Some(task) = self.queue.wait_for_next_task(self.settings.idle_check_interval) {
            let done = match task {
                WriterTask::WriteBatch(batch) => self.write_batch_with_retries(batch),
                WriterTask::ClaimPartition(pending) => self.claim_partition_with_retries(&pending),
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn write_batch_with_retries(&mut self, batch: InFlightBatch) -> Result<(), WriterMustEnd> {
        let mut duration = Duration::ZERO;
        let clock = Arc::clone(self.queue.clock());
        let write = |client: &mut TransactionClient, fences: &mut GrantedFences| {
            let began = clock.monotonic_now();
            let attempt = client.write_batch(&batch, fences);
            duration = clock.monotonic_now().saturating_sub(began);
            attempt
        };
        // A batch whose partitions are all lost, or an empty one, writes nothing that replicas could have.
        let has_writes = |outcome: &BatchWriteOutcome| outcome.has_writes;
        let Some(outcome) = self.retry_until_done(|| true, has_writes, write)? else { return Ok(()) };
        let mut refusals = outcome.row_refusals.iter().peekable();
        for row in batch.rows() {
            if let Some(refusal) = refusals.next_if(|refusal| refusal.row_index == row.row_index) {
                self.refused_row_log.log_refused_row(row.redis_key(), &refusal.refusal_reason);
            }
        }
        self.queue.report_and_acknowledge_batch(batch, outcome, duration);
        Ok(())
    }

    fn claim_partition_with_retries(&mut self, pending: &PendingClaim) -> Result<(), WriterMustEnd> {
        let claim = &pending.claim;
        let key = self.granted_fences.fence_key(claim.partition);
        let mut sent_text = None;
        let attempt =
            |client: &mut TransactionClient, _: &mut GrantedFences| client.claim_fence(claim, &key, &mut sent_text);
        // A granted claim counts rows that an earlier owner wrote, and that replicas may lack.
        let counts_rows = |result: &FenceClaimResult| matches!(result, FenceClaimResult::Granted(_));
        let outcome = match self.retry_until_done(|| pending.is_awaited(), counts_rows, attempt)? {
            None => return Ok(()),
            Some(FenceClaimResult::Stale(epoch)) => ClaimOutcome::Stale(epoch),
            Some(FenceClaimResult::RowsMissing { stored_row_counts }) => {
                ClaimOutcome::RowsMissing { stored_row_counts }
            }
            Some(FenceClaimResult::Granted(value)) => {
                let granted = GrantedClaim {
                    last_written_row_number_by_view: value
                        .row_counts
                        .iter()
                        .map(|count| count.last_row_number)
                        .collect(),
                    read_position: value.read_position,
                };
                self.granted_fences.record_granted_fence(claim.partition, value);
                ClaimOutcome::Granted(granted)
            }
        };
        self.queue.answer_claim(pending, outcome);
        Ok(())
    }

    /// Repeats `attempt` until an attempt succeeds, and returns the result of that attempt. Before each attempt,
    /// `awaited` returns whether the result is still needed. If not, the function returns `None`. If
    /// `needs_acknowledgement` returns true for the result, waits also for the required replicas and disks. Repeats only
    /// the waiting while the connection lasts.
    fn retry_until_done<T>(
        &mut self,
        awaited: impl Fn() -> bool,
        needs_acknowledgement: impl Fn(&T) -> bool,
        mut attempt: impl FnMut(&mut TransactionClient, &mut GrantedFences) -> Result<AttemptOutcome<T>, RedisFault>,
    ) -> Result<Option<T>, WriterMustEnd> {
        let mut unacknowledged = None;
        let mut unacknowledged_since = None;
        while awaited() {
            let attempted = match unacknowledged.take() {
                Some(result) => Ok(AttemptOutcome::Done(result)),
                None => self.attempt_with_open_client(&mut attempt),
            };
            let attempted = attempted.and_then(|outcome| match outcome {
                AttemptOutcome::Done(result) if needs_acknowledgement(&result) => self.wait_for_acknowledgement(result),
                outcome => Ok(outcome),
            });
            let pause = match attempted {
                Ok(AttemptOutcome::NotAcknowledged { result, reason }) => {
                    unacknowledged = Some(result);
                    let now = self.queue.clock().monotonic_now();
                    let since: Duration = *unacknowledged_since.get_or_insert(now);
                    // A disk or a replica may need a moment, which is no outage.
                    if now.saturating_sub(since) >= self.settings.acknowledgement_patience {
                        let reason = reason.to_string();
                        let notice = self.queue.statistics().record_failure(&reason);
                        log_missing_acknowledgement(notice, &self.address, &reason);
                    }
                    self.settings.min_retry_pause
                }
                Ok(AttemptOutcome::Done(result)) => {
                    self.record_answer();
                    return Ok(Some(result));
                }
                Ok(AttemptOutcome::FenceChanged) => {
                    self.record_answer();
                    Duration::ZERO
                }
                Err(fault) if !fault.is_retried_while_running() => {
                    self.queue.set_halt_if_unset(halt_for_fault(&self.address, &fault));
                    return Err(WriterMustEnd);
                }
                Err(fault) => {
                    // The writer gives the connection up, because its transaction may be unfinished. In addition, after
                    // a failover of Redis only a new connection reaches the new server.
                    if let Some(client) = self.client.take() {
                        self.abandoned_connection = client.into_connection().into_identity();
                    }
                    let reason = fault.to_string();
                    log_outage(self.queue.statistics().record_failure(&reason), &self.address, &reason);
                    self.retry_pause.next_pause()
                }
            };
            if !self.queue.pause_before_retry(pause) {
                return Err(WriterMustEnd);
            }
        }
        Ok(None)
    }

    fn record_answer(&mut self) {
        log_recovery(self.queue.statistics().record_answer(), &self.address);
        self.retry_pause.reset();
    }

    /// Waits once until what the open connection has written counts as acknowledged.
    fn wait_for_acknowledgement<T>(&mut self, result: T) -> Result<AttemptOutcome<T>, RedisFault> {
        let ended = || RedisFault::ConnectionFailed { description: "the connection has ended".to_owned() };
        let client = self.client.as_mut().ok_or_else(ended)?;
        match self.acknowledgement.wait_once(client.connection()) {
            Ok(()) => Ok(AttemptOutcome::Done(result)),
            Err(reason @ RedisFault::NotAcknowledged { .. }) => Ok(AttemptOutcome::NotAcknowledged { result, reason }),
            Err(fault) => Err(fault),
        }
    }

    fn attempt_with_open_client<T>(
        &mut self,
        attempt: &mut impl FnMut(&mut TransactionClient, &mut GrantedFences) -> Result<AttemptOutcome<T>, RedisFault>,
    ) -> Result<AttemptOutcome<T>, RedisFault> {
        let client = match &mut self.client {
            Some(client) => client,
            None => {
                let connection = RedisConnection::open_and_kill_abandoned(
                    &self.address,
                    &self.settings,
                    &mut self.abandoned_connection,
                )?;
                self.queue.statistics().record_reconnect();
                self.client.insert(TransactionClient::new(connection))
            }
        };
        attempt(client, &mut self.granted_fences)
    }
}

/// Marks the writer as ended when the thread ends, even by a panic. The mark wakes all waiting workers.
struct MarkWriterEndedOnDrop(Arc<WriteQueue>);

impl Drop for MarkWriterEndedOnDrop {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set_halt_if_unset(OutputFault::WriterBrokeDown.into());
        }
        self.0.mark_writer_ended();
    }
}
