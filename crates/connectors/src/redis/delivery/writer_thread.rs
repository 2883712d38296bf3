//! The thread that writes to Redis.
//!
//! Owns: when to reconnect, to retry, to wait for replicas and disks, and to end. Does not own: the contents of
//! transactions; the memory and order of rows (the queue); what is not acknowledged yet (the unacknowledged tasks).
//! After a crash: all state of the thread is lost. The next owners of the partitions compute and write the rows that
//! Redis had not acknowledged.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use windrow_engine::halt::OutputFault;
use windrow_engine::{ClaimOutcome, GrantedClaim, LostPartition};

use super::acknowledgement::{AcknowledgementOutcome, AcknowledgementWait};
use super::connection::{ConnectionIdentity, RedisConnection};
use super::queue::{WriteQueue, WriterTask};
use super::retry_pause::JitteredRetryBackoff;
use super::transaction::{AttemptOutcome, FenceClaimResult, RowSelection, TransactionClient};
use super::unacknowledged::{AcknowledgedTasks, ExecutedBatch, ExecutedClaim, ExecutedTask, UnacknowledgedTasks};
use crate::redis::address::RedisAddress;
use crate::redis::fault::{RedisFault, halt_for_fault};
use crate::redis::fence::claim::PendingClaim;
use crate::redis::fence::granted::GrantedFences;
use crate::redis::observe::outage_log::{
    log_acknowledgement_recovery, log_missing_acknowledgement, log_outage, log_recovery,
};
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
    unacknowledged: UnacknowledgedTasks,
    /// Whether the open connection has not written the fences of the unacknowledged tasks.
    must_write_fences_again: bool,
    /// The last connection that the writer gave up. Delayed commands of this connection may still reach Redis until the
    /// connection is killed.
    abandoned_connection: Option<ConnectionIdentity>,
    retry_pause: JitteredRetryBackoff,
    refused_row_log: RateLimitedRefusedRowLog,
}

/// What the writer does next.
enum WriterStep {
    Execute(WriterTask),
    WaitForAcknowledgement,
    End,
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
        let unacknowledged = UnacknowledgedTasks::new(&settings);
        Self {
            address,
            settings,
            queue,
            granted_fences,
            client: Some(client),
            acknowledgement,
            unacknowledged,
            must_write_fences_again: false,
            abandoned_connection: None,
            retry_pause,
            refused_row_log: RateLimitedRefusedRowLog::default(),
        }
    }

    /// Executes tasks from the queue. Ends after the queue was closed, or if a fault makes Redis unusable.
    pub(crate) fn run(mut self) {
        let _end_queue = MarkWriterEndedOnDrop(Arc::clone(&self.queue));
        loop {
            let done = match self.choose_next_step() {
                WriterStep::Execute(WriterTask::WriteBatch(batch)) => self.write_batch_with_retries(batch),
                WriterStep::Execute(WriterTask::ClaimPartition(pending)) => self.claim_partition_with_retries(pending),
                WriterStep::WaitForAcknowledgement => self.wait_for_acknowledgement(),
                WriterStep::End => return,
            };
            if done.is_err() {
                return;
            }
        }
    }

    /// Queued tasks go first, so that one wait acknowledges many of them.
    fn choose_next_step(&self) -> WriterStep {
        if self.unacknowledged.is_empty() {
            let task = self.queue.wait_for_next_task(self.settings.idle_check_interval);
            return task.map_or(WriterStep::End, WriterStep::Execute);
        }
        let task = if self.unacknowledged.has_room() { self.queue.take_queued_task() } else { None };
        task.map_or(WriterStep::WaitForAcknowledgement, WriterStep::Execute)
    }

    fn write_batch_with_retries(&mut self, batch: InFlightBatch) -> Result<(), WriterMustEnd> {
        let mut duration = Duration::ZERO;
        let clock = Arc::clone(self.queue.clock());
        let write = |client: &mut TransactionClient, fences: &mut GrantedFences| {
            let began = clock.monotonic_now();
            let attempt = client.write_batch(&batch, RowSelection::All, fences);
            duration = clock.monotonic_now().saturating_sub(began);
            attempt
        };
        let Some(outcome) = self.retry_until_done(|| true, write)? else { return Ok(()) };
        let mut refusals = outcome.row_refusals.iter().peekable();
        for row in batch.rows() {
            if let Some(refusal) = refusals.next_if(|refusal| refusal.row_index == row.row_index) {
                self.refused_row_log.log_refused_row(row.redis_key(), &refusal.refusal_reason);
            }
        }
        for lost in &outcome.lost_partitions {
            WriteQueue::report_lost_partition(&batch, *lost);
        }
        // A batch whose partitions are all lost, or an empty one, writes nothing that replicas could have.
        let must_wait = self.acknowledgement.is_required()
            && (!outcome.written_fences.is_empty() || self.unacknowledged.has_earlier_batch_of_worker(&batch));
        let executed = ExecutedBatch { batch, outcome, transaction_duration: duration };
        if must_wait {
            self.unacknowledged.push_task(ExecutedTask::Batch(executed), clock.monotonic_now());
        } else {
            self.queue.acknowledge_batch(executed);
        }
        Ok(())
    }

    fn claim_partition_with_retries(&mut self, pending: Arc<PendingClaim>) -> Result<(), WriterMustEnd> {
        let claim = &pending.claim;
        let key = self.granted_fences.fence_key(claim.partition);
        let mut sent_text = None;
        let attempt =
            |client: &mut TransactionClient, _: &mut GrantedFences| client.claim_fence(claim, &key, &mut sent_text);
        let Some(result) = self.retry_until_done(|| pending.is_awaited(), attempt)? else { return Ok(()) };
        // A granted claim counts rows that an earlier owner wrote, and that replicas may lack.
        let must_wait = self.acknowledgement.is_required() && matches!(result, FenceClaimResult::Granted(_));
        let executed = ExecutedClaim { pending, result, sent_text };
        if must_wait {
            self.unacknowledged.push_task(ExecutedTask::Claim(executed), self.queue.clock().monotonic_now());
        } else {
            self.answer_claim(executed);
        }
        Ok(())
    }

    fn answer_claim(&mut self, executed: ExecutedClaim) {
        let ExecutedClaim { pending, result, .. } = executed;
        let outcome = match result {
            FenceClaimResult::Stale(epoch) => ClaimOutcome::Stale(epoch),
            FenceClaimResult::RowsMissing { stored_rows } => ClaimOutcome::RowsMissing { stored_rows },
            FenceClaimResult::Granted(value) => {
                let granted = GrantedClaim {
                    last_written_row_number_by_view: value
                        .row_counts
                        .iter()
                        .map(|count| count.last_row_number)
                        .collect(),
                    read_position: value.read_position,
                    clock_decisions: value.clock_decisions.clone(),
                };
                self.granted_fences.record_granted_fence(pending.claim.partition, value);
                ClaimOutcome::Granted(granted)
            }
        };
        self.queue.answer_claim(&pending, outcome);
    }

    /// Waits once until replicas and disks have what the open connection has written, and then acknowledges all executed
    /// tasks.
    fn wait_for_acknowledgement(&mut self) -> Result<(), WriterMustEnd> {
        let (acknowledgement, wait_time) = (self.acknowledgement, self.unacknowledged.next_wait());
        let (queue, is_overdue) = (Arc::clone(&self.queue), self.unacknowledged.is_overdue());
        let mut wait = |client: &mut TransactionClient, _: &mut GrantedFences| {
            if !is_overdue {
                queue.expect_answer_within(wait_time);
            }
            acknowledgement.wait_once(client.connection(), wait_time).map(AttemptOutcome::Done)
        };
        let pause = match self.attempt_with_open_client(&mut wait) {
            Ok(AttemptOutcome::Done(AcknowledgementOutcome::Acknowledged)) => {
                self.record_answer();
                self.acknowledge_executed_tasks();
                return Ok(());
            }
            Ok(AttemptOutcome::Done(AcknowledgementOutcome::Missing(missing))) => {
                self.record_answer();
                if self.unacknowledged.is_empty() {
                    return Ok(()); // a new connection has refused the claims for which this wait was
                }
                self.unacknowledged.record_missing(missing);
                let waiting_time = self.unacknowledged.waiting_time(self.queue.clock().monotonic_now());
                // A disk or a replica may need a moment, which is no outage.
                if waiting_time >= self.settings.acknowledgement_outage_delay {
                    let reason = missing.to_string();
                    let notice = self.queue.statistics().record_missing_acknowledgement(&reason);
                    log_missing_acknowledgement(notice, &self.address, &reason);
                }
                if self.unacknowledged.is_overdue() { self.settings.min_retry_pause } else { Duration::ZERO }
            }
            Ok(AttemptOutcome::FenceChanged) => {
                self.record_answer();
                Duration::ZERO
            }
            Err(fault) => self.handle_fault(&fault)?,
        };
        self.pause_before_retry(pause)
    }

    fn acknowledge_executed_tasks(&mut self) {
        let AcknowledgedTasks { tasks, missing_before } = self.unacknowledged.take_acknowledged();
        if let (Some(duration), Some(missing)) = (self.queue.statistics().record_acknowledgement(), missing_before) {
            log_acknowledgement_recovery(duration, missing, &self.address);
        }
        for task in tasks {
            match task {
                ExecutedTask::Batch(executed) => self.queue.acknowledge_batch(executed),
                ExecutedTask::Claim(executed) => self.answer_claim(executed),
            }
        }
    }

    /// Repeats `attempt` until an attempt succeeds, and returns the result of that attempt. Before each attempt,
    /// `awaited` returns whether the result is still needed. If not, the function returns `None`.
    fn retry_until_done<T>(
        &mut self,
        awaited: impl Fn() -> bool,
        mut attempt: impl FnMut(&mut TransactionClient, &mut GrantedFences) -> Result<AttemptOutcome<T>, RedisFault>,
    ) -> Result<Option<T>, WriterMustEnd> {
        while awaited() {
            let pause = match self.attempt_with_open_client(&mut attempt) {
                Ok(AttemptOutcome::Done(result)) => {
                    self.record_answer();
                    return Ok(Some(result));
                }
                Ok(AttemptOutcome::FenceChanged) => {
                    self.record_answer();
                    Duration::ZERO
                }
                Err(fault) => self.handle_fault(&fault)?,
            };
            self.pause_before_retry(pause)?;
        }
        Ok(None)
    }

    /// Gives the connection up, because its transaction may be unfinished. In addition, after a failover of Redis only a
    /// new connection reaches the new server. Returns the pause before the next attempt.
    fn handle_fault(&mut self, fault: &RedisFault) -> Result<Duration, WriterMustEnd> {
        if !fault.is_retried_while_running() {
            self.queue.set_halt_if_unset(halt_for_fault(&self.address, fault));
            return Err(WriterMustEnd);
        }
        if let Some(client) = self.client.take() {
            self.abandoned_connection = client.into_connection().into_identity();
        }
        let reason = fault.to_string();
        log_outage(self.queue.statistics().record_failure(&reason), &self.address, &reason);
        Ok(self.retry_pause.next_pause())
    }

    fn pause_before_retry(&self, pause: Duration) -> Result<(), WriterMustEnd> {
        if self.queue.pause_before_retry(pause) { Ok(()) } else { Err(WriterMustEnd) }
    }

    fn record_answer(&mut self) {
        log_recovery(self.queue.statistics().record_answer(), &self.address);
        self.retry_pause.reset();
    }

    fn attempt_with_open_client<T>(
        &mut self,
        attempt: &mut impl FnMut(&mut TransactionClient, &mut GrantedFences) -> Result<AttemptOutcome<T>, RedisFault>,
    ) -> Result<AttemptOutcome<T>, RedisFault> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.open_client()?,
        };
        let outcome = match self.write_unacknowledged_fences_again(&mut client) {
            Ok(AttemptOutcome::Done(())) => attempt(&mut client, &mut self.granted_fences),
            Ok(AttemptOutcome::FenceChanged) => Ok(AttemptOutcome::FenceChanged),
            Err(fault) => Err(fault),
        };
        self.client = Some(client);
        outcome
    }

    fn open_client(&mut self) -> Result<TransactionClient, RedisFault> {
        let abandoned = &mut self.abandoned_connection;
        let connection = RedisConnection::open_and_kill_abandoned(&self.address, &self.settings, abandoned)?;
        self.queue.statistics().record_reconnect();
        self.must_write_fences_again = !self.unacknowledged.is_empty();
        Ok(TransactionClient::new(connection))
    }

    /// If `client` is new, writes the fences of all unacknowledged tasks again: a wait on this connection proves nothing
    /// about the writes of an earlier one. Reports the partitions whose rows Redis has lost meanwhile, writes the rows again
    /// that no fence counts, and claims again what was granted and is still awaited.
    fn write_unacknowledged_fences_again(
        &mut self,
        client: &mut TransactionClient,
    ) -> Result<AttemptOutcome<()>, RedisFault> {
        if !self.must_write_fences_again {
            return Ok(AttemptOutcome::Done(()));
        }
        let fence_tokens = self.unacknowledged.written_fences();
        match client.write_fences_again(fence_tokens.into_iter(), &mut self.granted_fences)? {
            AttemptOutcome::FenceChanged => return Ok(AttemptOutcome::FenceChanged),
            AttemptOutcome::Done(lost_partitions) => self.record_losses_of_written_rows(lost_partitions),
        }
        let mut lost_partitions = Vec::new();
        for executed in self.unacknowledged.batches_with_unnumbered_rows_mut() {
            match client.write_batch(&executed.batch, RowSelection::WithoutNumber, &mut self.granted_fences)? {
                AttemptOutcome::FenceChanged => return Ok(AttemptOutcome::FenceChanged),
                AttemptOutcome::Done(outcome) => {
                    executed.add_row_refusals(outcome.row_refusals);
                    lost_partitions.extend(outcome.lost_partitions);
                }
            }
        }
        self.record_losses_of_written_rows(lost_partitions);
        self.unacknowledged.remove_abandoned_claims();
        for ExecutedClaim { pending, result, sent_text } in self.unacknowledged.granted_claims_mut() {
            let key = self.granted_fences.fence_key(pending.claim.partition);
            match client.claim_fence(&pending.claim, &key, sent_text)? {
                AttemptOutcome::FenceChanged => return Ok(AttemptOutcome::FenceChanged),
                AttemptOutcome::Done(new_result) => *result = new_result,
            }
        }
        for refused in self.unacknowledged.take_refused_claims() {
            self.answer_claim(refused);
        }
        if self.unacknowledged.is_empty() {
            // Nothing waits any more.
            self.acknowledge_executed_tasks();
        }
        self.must_write_fences_again = false;
        Ok(AttemptOutcome::Done(()))
    }

    fn record_losses_of_written_rows(&mut self, lost_partitions: Vec<LostPartition>) {
        for lost in lost_partitions {
            let report = |batch: &InFlightBatch| WriteQueue::report_lost_partition(batch, lost);
            self.unacknowledged.record_loss_of_written_rows(lost, report);
        }
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
