//! Encoded rows on their way to Redis.
//!
//! A worker fills a [`RowBatch`]. Together with the worker's feedback, the batch becomes a [`QueuedBatch`] in the
//! queue. The writer joins several queued batches into one [`InFlightBatch`]. One transaction writes an in-flight
//! batch.
//!
//! Owns: the bytes of each row, and the partition and view of each row. Also owns which record caused the row. Does not
//! own: the meaning of the bytes (the row encoder), and the waiting for room (the queue).

use std::ops::Range;
use std::sync::Arc;

use windrow_core::ViewId;
use windrow_engine::{ClockDecisions, FenceToken, TriggerRecord};

use super::feedback::WorkerFeedback;
use crate::redis::settings::{FULL_BATCH_BYTES, MAX_BATCH_ROWS};
use crate::redis::wire::{CommandBuffer, CommandSpan};

/// The place of one row in the bytes of its batch.
#[derive(Clone, Debug)]
pub(crate) struct EncodedRowSpan {
    /// The place of the row's Redis key in the bytes of the batch, without the length prefix.
    pub(crate) redis_key_byte_range: Range<usize>,
    pub(crate) command_span: CommandSpan,
}

/// Consecutive rows of a batch with the same fence token and view, which the same record caused.
#[derive(Clone, Debug)]
pub(crate) struct UniformRowRun {
    pub(crate) fence_token: FenceToken,
    pub(crate) view: ViewId,
    /// The record whose arrival caused the rows. `None` if the end of bounded input caused the rows.
    pub(crate) trigger_record: Option<TriggerRecord>,
    /// The positions of the rows in the batch. The range is empty in a run that only requests a check of the fence.
    row_positions: Range<usize>,
    /// The largest row number in the run; 0 if the run has no rows, or rows without a number. Windrow numbers the rows of
    /// each view of a partition in order, except those that the end of bounded input causes.
    pub(crate) largest_row_number: u64,
}

impl UniformRowRun {
    pub(crate) fn is_numbered(&self) -> bool {
        self.largest_row_number > 0
    }

    pub(crate) fn row_count(&self) -> usize {
        self.row_positions.len()
    }
}

/// Rows that one worker hands over together, and that Redis acknowledges together.
#[derive(Default, Debug)]
pub(crate) struct RowBatch {
    commands: CommandBuffer,
    row_spans: Vec<EncodedRowSpan>,
    /// The runs into which the rows of the batch are divided, in the order of the rows.
    runs: Vec<UniformRowRun>,
    /// The record whose arrival causes the rows of the next calls of [`RowBatch::push_row`].
    next_trigger_record: Option<TriggerRecord>,
    /// The newest decisions of the wall clock on which the rows of partitions may depend, where they have changed.
    clock_decisions: Vec<(FenceToken, ClockDecisions)>,
}

impl RowBatch {
    /// Returns an empty batch with memory for as many bytes and rows as this batch contains. The empty batch has the
    /// same `next_trigger_record`.
    pub(crate) fn new_with_same_capacity(&self) -> Self {
        Self {
            commands: CommandBuffer::with_capacity(self.commands.encoded_bytes().len()),
            row_spans: Vec::with_capacity(self.row_spans.len()),
            runs: Vec::with_capacity(self.runs.len()),
            next_trigger_record: self.next_trigger_record,
            clock_decisions: Vec::new(),
        }
    }

    /// Returns how many bytes of the queue's memory limit this batch uses.
    pub(crate) fn queue_cost_bytes(&self) -> usize {
        self.commands.encoded_bytes().len() + size_of_val(&*self.row_spans) + size_of_val(&*self.runs)
    }

    /// Returns the number of bytes that the batch has allocated, including unused bytes.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.commands.allocated_bytes()
            + self.row_spans.capacity() * size_of::<EncodedRowSpan>()
            + self.runs.capacity() * size_of::<UniformRowRun>()
    }

    /// Sets the record whose arrival causes the rows of all following calls of [`Self::push_row`].
    pub(crate) fn set_next_trigger_record(&mut self, trigger: Option<TriggerRecord>) {
        self.next_trigger_record = trigger;
    }

    /// Sets the decisions of the wall clock on which the rows of a partition may depend. The fence of the partition gets them
    /// together with the next row.
    pub(crate) fn set_clock_decisions(&mut self, fence_token: FenceToken, decisions: ClockDecisions) {
        self.clock_decisions.retain(|(known, _)| *known != fence_token);
        self.clock_decisions.push((fence_token, decisions));
    }

    /// Returns the buffer to which the caller appends the commands of the next row.
    pub(crate) fn commands_mut(&mut self) -> &mut CommandBuffer {
        &mut self.commands
    }

    /// Adds a row to the batch. The caller has just appended the row's commands to [`Self::commands_mut`]. `number` is
    /// the row number.
    pub(crate) fn push_row(&mut self, row: EncodedRowSpan, fence_token: FenceToken, view: ViewId, number: u64) {
        let position = self.row_spans.len();
        self.row_spans.push(row);
        match self.runs.last_mut() {
            Some(run)
                if run.fence_token == fence_token
                    && run.view == view
                    && run.trigger_record == self.next_trigger_record =>
            {
                run.row_positions.end = position + 1;
                run.largest_row_number = run.largest_row_number.max(number);
            }
            _ => self.runs.push(UniformRowRun {
                fence_token,
                view,
                trigger_record: self.next_trigger_record,
                row_positions: position..position + 1,
                largest_row_number: number,
            }),
        }
    }

    /// Requests that the writer checks the fence of `fence_token`, even if the batch contains no row of this partition.
    /// Does nothing if the batch already has rows or a fence check with this fence token.
    pub(crate) fn add_fence_check(&mut self, fence_token: FenceToken) {
        if !self.contains_fence_token(fence_token) {
            let end = self.row_spans.len();
            self.runs.push(UniformRowRun {
                fence_token,
                view: ViewId(0),
                trigger_record: self.next_trigger_record,
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
        self.row_spans.len() >= MAX_BATCH_ROWS || self.commands.encoded_bytes().len() >= FULL_BATCH_BYTES
    }

    pub(crate) fn row_count(&self) -> usize {
        self.row_spans.len()
    }

    /// Returns every row with the run that contains the row, in the order of the batch.
    pub(crate) fn rows_with_runs(&self) -> impl Iterator<Item = (&EncodedRowSpan, &UniformRowRun)> {
        self.runs.iter().flat_map(|run| self.row_spans[run.row_positions.clone()].iter().map(move |row| (row, run)))
    }

    /// Returns whether the batch has rows or a fence check with `fence_token`.
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

/// A batch of rows, and the feedback through which the worker of the batch learns the outcome.
#[derive(Debug)]
pub(crate) struct QueuedBatch {
    pub(crate) row_batch: RowBatch,
    pub(crate) worker_feedback: Arc<WorkerFeedback>,
}

/// Batches of one or more workers, in order. One transaction writes all these batches. An empty in-flight batch only
/// checks whether Redis answers.
#[derive(Default, Debug)]
pub(crate) struct InFlightBatch {
    batches: Vec<QueuedBatch>,
    queue_cost_bytes: usize,
    row_count: usize,
    command_byte_count: usize,
}

/// A row of an [`InFlightBatch`], with the row's position, fence token and queued batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlightRow<'a> {
    /// The position of the row among all rows of the in-flight batch.
    pub(crate) row_index: usize,
    pub(crate) fence_token: FenceToken,
    pub(crate) is_numbered: bool,
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
    pub(crate) fn append_row_commands(&self, out: &mut CommandBuffer) {
        out.append_command_span(&self.batch.row_batch.commands, &self.row.command_span);
    }
}

impl InFlightBatch {
    /// Returns whether `batch` still fits into the transaction of this in-flight batch. A first batch of any size fits.
    pub(crate) fn has_room_for_batch(&self, batch: &RowBatch) -> bool {
        self.batches.is_empty()
            || (self.row_count + batch.row_spans.len() <= MAX_BATCH_ROWS
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

    /// Returns whether a worker has batches both in this in-flight batch and in `other`.
    pub(crate) fn shares_worker_with(&self, other: &Self) -> bool {
        let is_in_other = |batch: &QueuedBatch| {
            other.batches.iter().any(|other| Arc::ptr_eq(&other.worker_feedback, &batch.worker_feedback))
        };
        self.batches.iter().any(is_in_other)
    }

    /// Returns how many bytes of the queue's memory limit the batches use.
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
            .flat_map(|batch| batch.row_batch.rows_with_runs().map(move |(row, run)| (batch, row, run)))
            .enumerate()
            .map(|(row_index, (batch, row, run))| InFlightRow {
                row_index,
                fence_token: run.fence_token,
                is_numbered: run.is_numbered(),
                batch,
                row,
            })
    }

    /// Returns the runs of all batches, in order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &UniformRowRun> {
        self.batches.iter().flat_map(|encoded| &encoded.row_batch.runs)
    }

    /// Returns the decisions of the wall clock about the partition in `fence_token` that are newer than those in its fence;
    /// `None` if there are none.
    pub(crate) fn newest_clock_decisions(&self, fence_token: FenceToken) -> Option<&ClockDecisions> {
        let all = self.batches.iter().flat_map(|encoded| &encoded.row_batch.clock_decisions);
        all.rev().find(|(known, _)| *known == fence_token).map(|(_, decisions)| decisions)
    }

    /// Returns the batches without the feedback of their workers.
    pub(crate) fn into_row_batches(self) -> impl Iterator<Item = RowBatch> {
        self.batches.into_iter().map(|encoded| encoded.row_batch)
    }
}
