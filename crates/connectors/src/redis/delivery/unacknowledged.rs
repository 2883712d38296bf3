//! What Redis has executed, and what replicas or disks do not confirm yet.
//!
//! Owns: executed batches and granted claims in the order of their execution, and how long to wait for them. Does not own:
//! the wait itself, and the transactions.
//! Invariant: a batch or a claim leaves the list only by a successful wait on a connection that wrote all of the list, or
//! its fences again; or, for a claim, by a refusal, or when its worker no longer waits. So nothing is acknowledged out of order.

use std::sync::Arc;
use std::time::Duration;

use windrow_engine::{FenceToken, LostPartition};

use super::transaction::{BatchWriteOutcome, FenceClaimResult, RowRefusal};
use crate::redis::fault::MissingAcknowledgement;
use crate::redis::fence::claim::PendingClaim;
use crate::redis::rows::batch::InFlightBatch;
use crate::redis::settings::RedisWriterSettings;

/// A batch whose transaction Redis has executed.
#[derive(Debug)]
pub(crate) struct ExecutedBatch {
    pub(crate) batch: InFlightBatch,
    pub(crate) outcome: BatchWriteOutcome,
    pub(crate) transaction_duration: Duration,
}

/// A claim that Redis has granted. A new connection claims again, which may have another result.
#[derive(Debug)]
pub(crate) struct ExecutedClaim {
    pub(crate) pending: Arc<PendingClaim>,
    pub(crate) result: FenceClaimResult,
    /// The fence value that was sent last.
    pub(crate) sent_text: Option<String>,
}

/// A task that Redis has executed.
#[derive(Debug)]
pub(crate) enum ExecutedTask {
    Batch(ExecutedBatch),
    Claim(ExecutedClaim),
}

/// The tasks that a successful wait has acknowledged, oldest first.
#[derive(Debug)]
pub(crate) struct AcknowledgedTasks {
    pub(crate) tasks: Vec<ExecutedTask>,
    /// What the wait before lacked. `None` if the first wait was successful.
    pub(crate) missing_before: Option<MissingAcknowledgement>,
}

/// The executed tasks that are not acknowledged, oldest first.
#[derive(Debug)]
pub(crate) struct UnacknowledgedTasks {
    tasks: Vec<ExecutedTask>,
    /// The bytes of the batches that were added since the last wait.
    bytes_since_wait: usize,
    /// After this number of bytes, the next step is a wait. So workers get room in the queue before it is full.
    max_bytes_between_waits: usize,
    /// Since when the oldest task waits, as a monotonic time.
    waiting_since: Option<Duration>,
    next_wait: Duration,
    min_wait: Duration,
    max_wait: Duration,
    /// Whether a wait of the longest time has failed. Further writes would only postpone the acknowledgement: a wait is
    /// for everything that the connection wrote before it.
    is_overdue: bool,
    /// What the last wait lacked. `None` while waits succeed.
    last_missing: Option<MissingAcknowledgement>,
}

impl ExecutedClaim {
    fn is_granted(&self) -> bool {
        matches!(self.result, FenceClaimResult::Granted(_))
    }
}

impl ExecutedBatch {
    /// Adds the refusals of rows that were written again and that Redis had accepted before.
    pub(crate) fn add_row_refusals(&mut self, refusals: Vec<RowRefusal>) {
        let known = &mut self.outcome.row_refusals;
        for refusal in refusals {
            if let Err(position) = known.binary_search_by_key(&refusal.row_index, |known| known.row_index) {
                known.insert(position, refusal);
            }
        }
    }

    /// Records that Redis has lost what the transaction wrote for `lost`. Returns whether the transaction had written for
    /// this partition.
    fn record_loss_of_written_rows(&mut self, lost: LostPartition) -> bool {
        let Self { batch, outcome, .. } = self;
        let written_count = outcome.written_fences.len();
        outcome.written_fences.retain(|written| *written != lost.fence_token);
        if outcome.written_fences.len() == written_count {
            return false;
        }
        let rows = batch.rows().filter(|row| row.fence_token == lost.fence_token);
        let row_indexes: Vec<usize> = rows.map(|row| row.row_index).collect();
        outcome.row_refusals.retain(|refusal| row_indexes.binary_search(&refusal.row_index).is_err());
        outcome.dropped_row_count += row_indexes.len();
        true
    }
}

impl UnacknowledgedTasks {
    pub(crate) fn new(settings: &RedisWriterSettings) -> Self {
        // The reply arrives after the wait, and must arrive within the response timeout.
        let max_wait = settings.max_acknowledgement_wait.min(settings.response_timeout / 2);
        let min_wait = settings.min_acknowledgement_wait.min(max_wait);
        Self {
            tasks: Vec::new(),
            bytes_since_wait: 0,
            max_bytes_between_waits: settings.queue_bytes_max / 4,
            waiting_since: None,
            next_wait: min_wait,
            min_wait,
            max_wait,
            is_overdue: false,
            last_missing: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns whether the writer may execute a further task before it waits.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_overdue && self.bytes_since_wait < self.max_bytes_between_waits
    }

    /// Returns whether an earlier batch of a worker of `batch` is not acknowledged.
    pub(crate) fn has_earlier_batch_of_worker(&self, batch: &InFlightBatch) -> bool {
        self.tasks.iter().any(|task| match task {
            ExecutedTask::Batch(earlier) => earlier.batch.shares_worker_with(batch),
            ExecutedTask::Claim(_) => false,
        })
    }

    /// Appends a task that Redis executed at the monotonic time `now`.
    pub(crate) fn push_task(&mut self, task: ExecutedTask, now: Duration) {
        if let ExecutedTask::Batch(executed) = &task {
            self.bytes_since_wait += executed.batch.queue_cost_bytes();
        }
        self.waiting_since.get_or_insert(now);
        self.tasks.push(task);
    }

    /// Returns how long the next wait lasts.
    pub(crate) fn next_wait(&self) -> Duration {
        self.next_wait
    }

    /// Records that a wait has failed, and doubles the next one.
    pub(crate) fn record_missing(&mut self, missing: MissingAcknowledgement) {
        self.is_overdue |= self.next_wait >= self.max_wait;
        self.next_wait = (self.next_wait * 2).min(self.max_wait);
        self.bytes_since_wait = 0;
        self.last_missing = Some(missing);
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.is_overdue
    }

    /// Returns how long the oldest task has waited at the monotonic time `now`.
    pub(crate) fn waiting_time(&self, now: Duration) -> Duration {
        self.waiting_since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }

    /// Removes and returns all tasks, which are acknowledged now.
    pub(crate) fn take_acknowledged(&mut self) -> AcknowledgedTasks {
        self.bytes_since_wait = 0;
        self.waiting_since = None;
        self.next_wait = self.min_wait;
        self.is_overdue = false;
        AcknowledgedTasks { tasks: std::mem::take(&mut self.tasks), missing_before: self.last_missing.take() }
    }

    /// Returns the fences that the batches wrote, each once.
    pub(crate) fn written_fences(&self) -> Vec<FenceToken> {
        let mut fence_tokens: Vec<FenceToken> = Vec::new();
        for task in &self.tasks {
            if let ExecutedTask::Batch(executed) = task {
                fence_tokens.extend(&executed.outcome.written_fences);
            }
        }
        fence_tokens.sort_unstable_by_key(|token| (token.partition, token.epoch));
        fence_tokens.dedup();
        fence_tokens
    }

    /// Records that Redis has lost what the batches wrote for `lost`. Calls `report` for each batch with such rows.
    pub(crate) fn record_loss_of_written_rows(&mut self, lost: LostPartition, report: impl Fn(&InFlightBatch)) {
        for task in &mut self.tasks {
            if let ExecutedTask::Batch(executed) = task
                && executed.record_loss_of_written_rows(lost)
            {
                report(&executed.batch);
            }
        }
    }

    /// Returns the batches with rows that no fence counts, oldest first. These rows end the input of their partition, so no
    /// newer row follows them.
    pub(crate) fn batches_with_unnumbered_rows_mut(&mut self) -> impl Iterator<Item = &mut ExecutedBatch> {
        self.tasks.iter_mut().filter_map(|task| match task {
            ExecutedTask::Batch(executed) => {
                let has_unnumbered_rows = executed.batch.rows().any(|row| !row.is_numbered);
                has_unnumbered_rows.then_some(executed)
            }
            ExecutedTask::Claim(_) => None,
        })
    }

    /// Removes the claims whose workers no longer wait for the outcome. Another worker may own their partitions.
    pub(crate) fn remove_abandoned_claims(&mut self) {
        self.tasks.retain(|task| match task {
            ExecutedTask::Claim(claim) => claim.pending.is_awaited(),
            ExecutedTask::Batch(_) => true,
        });
    }

    /// Returns the claims in the list that were granted last, oldest first.
    pub(crate) fn granted_claims_mut(&mut self) -> impl Iterator<Item = &mut ExecutedClaim> {
        self.tasks.iter_mut().filter_map(|task| match task {
            ExecutedTask::Claim(claim) if claim.is_granted() => Some(claim),
            ExecutedTask::Claim(_) | ExecutedTask::Batch(_) => None,
        })
    }

    /// Removes and returns the claims that are not granted any more.
    pub(crate) fn take_refused_claims(&mut self) -> Vec<ExecutedClaim> {
        let is_refused = |task: &mut ExecutedTask| match task {
            ExecutedTask::Claim(claim) => !claim.is_granted(),
            ExecutedTask::Batch(_) => false,
        };
        let refused = self.tasks.extract_if(.., is_refused);
        let claims = refused.filter_map(|task| match task {
            ExecutedTask::Claim(claim) => Some(claim),
            ExecutedTask::Batch(_) => None,
        });
        claims.collect()
    }
}
