//! Encoded rows on their way to Redis.
//!
//! A worker fills a [`RowBatch`]. Together with the worker's feedback, the batch becomes a [`QueuedBatch`] in the
//! queue. The writer joins several queued batches into one [`InFlightBatch`]. One transaction writes an in-flight
//! batch.
//!
//! Owns: the bytes of each row, and the partition, view and trigger of each row. Does not own: the meaning of the bytes
//! (encoding), waiting (the queue).

use std::ops::Range;
use std::sync::Arc;

use windrow_core::ViewId;
use windrow_engine::{FenceToken, TriggerRecord};

use super::feedback::WorkerFeedback;
use crate::redis::settings::{BATCH_ROWS_MAX, FULL_BATCH_BYTES};
use crate::redis::wire::{CommandBuffer, CommandSpan};

/// The place of one row in the bytes of its batch.
#[derive(Clone, Debug)]
pub(crate) struct EncodedRowSpan {
    /// The place of the Redis key, without the length prefix.
    pub(crate) redis_key_byte_range: Range<usize>,
    pub(crate) command_span: CommandSpan,
}

/// Consecutive rows of a batch with the same fence token, view and trigger.
#[derive(Clone, Debug)]
pub(crate) struct UniformRowRun {
    pub(crate) fence_token: FenceToken,
    pub(crate) view: ViewId,
    /// The record whose arrival made the windows of the rows fire. `None` if the end of bounded input fired the
    /// windows.
    pub(crate) trigger_record: Option<TriggerRecord>,
    /// The positions of the rows in the batch. Empty in a run that only requests a check of the fence.
    row_positions: Range<usize>,
    /// The largest row number in the run.
    pub(crate) largest_row_number: u64,
}

impl UniformRowRun {
    pub(crate) fn row_count(&self) -> usize {
        self.row_positions.len()
    }
}

/// Rows of one worker that are handed over and acknowledged together.
#[derive(Default, Debug)]
pub(crate) struct RowBatch {
    commands: CommandBuffer,
    row_spans: Vec<EncodedRowSpan>,
    /// The runs, in the order of the rows. Together the runs cover all rows.
    runs: Vec<UniformRowRun>,
    /// The trigger of the rows that are pushed next.
    next_trigger: Option<TriggerRecord>,
}

impl RowBatch {
    /// Returns an empty batch with the same trigger, and with room for as much as this batch holds.
    pub(crate) fn new_with_same_capacity(&self) -> Self {
        Self {
            commands: CommandBuffer::with_capacity(self.commands.encoded_bytes().len()),
            row_spans: Vec::with_capacity(self.row_spans.len()),
            runs: Vec::with_capacity(self.runs.len()),
            next_trigger: self.next_trigger,
        }
    }

    /// Returns the number of bytes that this batch counts toward the queue's limit.
    pub(crate) fn queue_cost_bytes(&self) -> usize {
        self.commands.encoded_bytes().len() + size_of_val(&*self.row_spans) + size_of_val(&*self.runs)
    }

    /// Returns the number of allocated bytes, used or not.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.commands.allocated_bytes()
            + self.row_spans.capacity() * size_of::<EncodedRowSpan>()
            + self.runs.capacity() * size_of::<UniformRowRun>()
    }

    /// Sets the trigger of the rows that are pushed next.
    pub(crate) fn set_next_trigger(&mut self, trigger: Option<TriggerRecord>) {
        self.next_trigger = trigger;
    }

    /// Returns the buffer for the commands of the next row.
    pub(crate) fn commands_mut(&mut self) -> &mut CommandBuffer {
        &mut self.commands
    }

    /// Adds the row whose commands were appended last.
    pub(crate) fn push_row(&mut self, row: EncodedRowSpan, fence_token: FenceToken, view: ViewId, number: u64) {
        let position = self.row_spans.len();
        self.row_spans.push(row);
        match self.runs.last_mut() {
            Some(run)
                if run.fence_token == fence_token && run.view == view && run.trigger_record == self.next_trigger =>
            {
                run.row_positions.end = position + 1;
                run.largest_row_number = run.largest_row_number.max(number);
            }
            _ => self.runs.push(UniformRowRun {
                fence_token,
                view,
                trigger_record: self.next_trigger,
                row_positions: position..position + 1,
                largest_row_number: number,
            }),
        }
    }

    /// Adds a check of the partition's fence without a row, unless the batch already has rows or a check of
    /// `fence_token`.
    pub(crate) fn add_fence_check(&mut self, fence_token: FenceToken) {
        if !self.contains_fence_token(fence_token) {
            let end = self.row_spans.len();
            self.runs.push(UniformRowRun {
                fence_token,
                view: ViewId(0),
                trigger_record: self.next_trigger,
                row_positions: end..end,
                largest_row_number: 0,
            });
        }
    }

    /// Returns whether the batch has neither rows nor fence checks.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Returns whether the batch has enough rows or bytes to be handed over.
    pub(crate) fn is_full(&self) -> bool {
        self.row_spans.len() >= BATCH_ROWS_MAX || self.commands.encoded_bytes().len() >= FULL_BATCH_BYTES
    }

    pub(crate) fn row_count(&self) -> usize {
        self.row_spans.len()
    }

    /// Returns every row with its run, in the order of the batch.
    pub(crate) fn rows_with_runs(&self) -> impl Iterator<Item = (&EncodedRowSpan, &UniformRowRun)> {
        self.runs.iter().flat_map(|run| self.row_spans[run.row_positions.clone()].iter().map(move |row| (row, run)))
    }

    /// Returns whether the batch has rows or a fence check of `fence_token`.
    pub(crate) fn contains_fence_token(&self, fence_token: FenceToken) -> bool {
        self.runs.iter().any(|run| run.fence_token == fence_token)
    }

    pub(crate) fn redis_key(&self, row: &EncodedRowSpan) -> &[u8] {
        &self.commands.encoded_bytes()[row.redis_key_byte_range.clone()]
    }

    pub(crate) fn row_commands(&self, row: &EncodedRowSpan) -> &[u8] {
        &self.commands.encoded_bytes()[row.command_span.byte_range.clone()]
    }
}

/// A batch of rows, and the feedback through which its worker learns the outcome.
#[derive(Debug)]
pub(crate) struct QueuedBatch {
    pub(crate) row_batch: RowBatch,
    pub(crate) worker_feedback: Arc<WorkerFeedback>,
}

/// The batches of one or more workers that one transaction writes, in order. An empty in-flight batch only checks
/// whether Redis answers.
#[derive(Default, Debug)]
pub(crate) struct InFlightBatch {
    batches: Vec<QueuedBatch>,
    queue_cost_bytes: usize,
    row_count: usize,
    command_byte_count: usize,
}

/// A row of an [`InFlightBatch`] with its position, fence token and batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlightRow<'a> {
    /// The position of the row among all rows of the in-flight batch.
    pub(crate) row_index: usize,
    pub(crate) fence_token: FenceToken,
    batch: &'a QueuedBatch,
    row: &'a EncodedRowSpan,
}

impl<'a> InFlightRow<'a> {
    pub(crate) fn redis_key(&self) -> &'a [u8] {
        self.batch.row_batch.redis_key(self.row)
    }

    /// Returns the feedback of the worker that produced the row.
    pub(crate) fn worker_feedback(&self) -> &'a WorkerFeedback {
        &self.batch.worker_feedback
    }

    /// Appends the commands that write the row.
    pub(crate) fn append_commands(&self, out: &mut CommandBuffer) {
        out.append_command_span(&self.batch.row_batch.commands, &self.row.command_span);
    }
}

impl InFlightBatch {
    /// Returns whether `batch` fits into this transaction. The first batch always fits.
    pub(crate) fn has_room_for_batch(&self, batch: &RowBatch) -> bool {
        self.batches.is_empty()
            || (self.row_count + batch.row_spans.len() <= BATCH_ROWS_MAX
                && self.command_byte_count + batch.commands.encoded_bytes().len() <= FULL_BATCH_BYTES)
    }

    pub(crate) fn push_batch(&mut self, encoded: QueuedBatch) {
        self.queue_cost_bytes += encoded.row_batch.queue_cost_bytes();
        self.row_count += encoded.row_batch.row_spans.len();
        self.command_byte_count += encoded.row_batch.commands.encoded_bytes().len();
        self.batches.push(encoded);
    }

    pub(crate) fn batches(&self) -> &[QueuedBatch] {
        &self.batches
    }

    /// Returns the number of bytes that the batches count toward the queue's limit.
    pub(crate) fn queue_cost_bytes(&self) -> usize {
        self.queue_cost_bytes
    }

    pub(crate) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Returns the rows of all batches, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = InFlightRow<'_>> {
        self.batches
            .iter()
            .flat_map(|batch| batch.row_batch.rows_with_runs().map(move |(row, run)| (batch, row, run.fence_token)))
            .enumerate()
            .map(|(index, (batch, row, fence_token))| InFlightRow { row_index: index, fence_token, batch, row })
    }

    /// Returns the runs of all batches, in order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &UniformRowRun> {
        self.batches.iter().flat_map(|encoded| &encoded.row_batch.runs)
    }

    /// Returns the batches without the feedback of their workers.
    pub(crate) fn into_row_batches(self) -> impl Iterator<Item = RowBatch> {
        self.batches.into_iter().map(|encoded| encoded.row_batch)
    }
}
