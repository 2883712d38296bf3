//! Encoded rows on their way to Redis.
//!
//! A worker fills a [`RowBatch`]. With the worker's feedback it becomes an [`EncodedBatch`], which waits in the queue.
//! The writer joins several of these into one [`InFlightBatch`], which one transaction carries.
//!
//! Owns: which bytes belong to which row, and to which partition, view and trigger the rows belong. Does not own: what
//! the bytes mean (encoding), where batches wait (the queue).

use std::ops::Range;
use std::sync::Arc;

use windrow_core::ViewId;
use windrow_engine::{FenceToken, TriggerRecord};

use super::feedback::WorkerFeedback;
use crate::redis::settings::{BATCH_BYTES, BATCH_ROWS};
use crate::redis::wire::{CommandBuffer, CommandSpan};

/// Where one row lies in the bytes of its batch.
#[derive(Clone, Debug)]
pub(crate) struct EncodedRow {
    /// Its Redis key, without the length before it.
    pub(crate) redis_key_range: Range<usize>,
    pub(crate) commands: CommandSpan,
}

/// Neighbouring rows of a batch with the same fence token, view and trigger.
#[derive(Clone, Debug)]
pub(crate) struct RowRun {
    pub(crate) fence_token: FenceToken,
    pub(crate) view: ViewId,
    /// The record whose arrival made the rows' windows fire; `None` where the end of bounded input did.
    pub(crate) trigger: Option<TriggerRecord>,
    /// Positions in the batch. Empty in a run that only asks for a check of the fence.
    rows: Range<usize>,
    /// The largest row number among them.
    pub(crate) last_row_number: u64,
}

impl RowRun {
    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }
}

/// The rows of one worker that are handed over and acknowledged together.
#[derive(Default, Debug)]
pub(crate) struct RowBatch {
    commands: CommandBuffer,
    rows: Vec<EncodedRow>,
    /// Cover the rows in their order.
    runs: Vec<RowRun>,
    /// The trigger of the rows pushed next.
    trigger: Option<TriggerRecord>,
}

impl RowBatch {
    /// Returns an empty batch with the same trigger and with room for as much as this one holds.
    pub(crate) fn new_with_same_capacity(&self) -> Self {
        Self {
            commands: CommandBuffer::with_capacity(self.commands.bytes().len()),
            rows: Vec::with_capacity(self.rows.len()),
            runs: Vec::with_capacity(self.runs.len()),
            trigger: self.trigger,
        }
    }

    /// Returns the bytes that this batch takes of the queue's limit.
    pub(crate) fn memory_cost(&self) -> usize {
        self.commands.bytes().len() + size_of_val(&*self.rows) + size_of_val(&*self.runs)
    }

    /// Returns the bytes allocated, used or not.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.commands.capacity()
            + self.rows.capacity() * size_of::<EncodedRow>()
            + self.runs.capacity() * size_of::<RowRun>()
    }

    /// Sets the trigger of the rows that follow.
    pub(crate) fn set_trigger(&mut self, trigger: Option<TriggerRecord>) {
        self.trigger = trigger;
    }

    /// Returns the buffer that the commands of the next row are appended to.
    pub(crate) fn commands_mut(&mut self) -> &mut CommandBuffer {
        &mut self.commands
    }

    /// Adds the row whose commands were appended last.
    pub(crate) fn push(&mut self, row: EncodedRow, fence_token: FenceToken, view: ViewId, number: u64) {
        let position = self.rows.len();
        self.rows.push(row);
        match self.runs.last_mut() {
            Some(run) if run.fence_token == fence_token && run.view == view && run.trigger == self.trigger => {
                run.rows.end = position + 1;
                run.last_row_number = run.last_row_number.max(number);
            }
            _ => self.runs.push(RowRun {
                fence_token,
                view,
                trigger: self.trigger,
                rows: position..position + 1,
                last_row_number: number,
            }),
        }
    }

    /// Asks for a check of the partition's fence, without a row.
    pub(crate) fn add_fence_check(&mut self, fence_token: FenceToken) {
        if !self.has_rows_of(fence_token) {
            let end = self.rows.len();
            self.runs.push(RowRun {
                fence_token,
                view: ViewId(0),
                trigger: self.trigger,
                rows: end..end,
                last_row_number: 0,
            });
        }
    }

    /// Whether the batch has neither rows nor fence checks.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether the batch should be handed over.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS || self.commands.bytes().len() >= BATCH_BYTES
    }

    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Returns every row with its run, in order.
    pub(crate) fn rows_with_runs(&self) -> impl Iterator<Item = (&EncodedRow, &RowRun)> {
        self.runs.iter().flat_map(|run| self.rows[run.rows.clone()].iter().map(move |row| (row, run)))
    }

    /// Whether rows or a fence check of `fence_token` are in the batch.
    pub(crate) fn has_rows_of(&self, fence_token: FenceToken) -> bool {
        self.runs.iter().any(|run| run.fence_token == fence_token)
    }

    pub(crate) fn redis_key(&self, row: &EncodedRow) -> &[u8] {
        &self.commands.bytes()[row.redis_key_range.clone()]
    }

    pub(crate) fn row_commands(&self, row: &EncodedRow) -> &[u8] {
        &self.commands.bytes()[row.commands.bytes.clone()]
    }
}

/// A full batch, and where its worker learns what became of it.
#[derive(Debug)]
pub(crate) struct EncodedBatch {
    pub(crate) batch: RowBatch,
    pub(crate) feedback: Arc<WorkerFeedback>,
}

/// What one transaction carries: batches in their order, possibly of several workers. An empty one only checks whether
/// Redis answers.
#[derive(Default, Debug)]
pub(crate) struct InFlightBatch {
    batches: Vec<EncodedBatch>,
    memory_cost: usize,
    row_count: usize,
    byte_count: usize,
}

/// A row of an [`InFlightBatch`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlightRow<'a> {
    /// Its position among all rows of the in-flight batch.
    pub(crate) index: usize,
    pub(crate) fence_token: FenceToken,
    batch: &'a EncodedBatch,
    row: &'a EncodedRow,
}

impl<'a> InFlightRow<'a> {
    pub(crate) fn redis_key(&self) -> &'a [u8] {
        self.batch.batch.redis_key(self.row)
    }

    /// Returns the feedback of the worker whose row it is.
    pub(crate) fn feedback(&self) -> &'a WorkerFeedback {
        &self.batch.feedback
    }

    /// Appends the commands that write the row.
    pub(crate) fn append_commands(&self, out: &mut CommandBuffer) {
        out.append_span(&self.batch.batch.commands, &self.row.commands);
    }
}

impl InFlightBatch {
    /// Whether `batch` still fits. The first one always does.
    pub(crate) fn has_room_for(&self, batch: &RowBatch) -> bool {
        self.batches.is_empty()
            || (self.row_count + batch.rows.len() <= BATCH_ROWS
                && self.byte_count + batch.commands.bytes().len() <= BATCH_BYTES)
    }

    pub(crate) fn push(&mut self, encoded: EncodedBatch) {
        self.memory_cost += encoded.batch.memory_cost();
        self.row_count += encoded.batch.rows.len();
        self.byte_count += encoded.batch.commands.bytes().len();
        self.batches.push(encoded);
    }

    pub(crate) fn batches(&self) -> &[EncodedBatch] {
        &self.batches
    }

    /// Returns the bytes that its batches take of the queue's limit.
    pub(crate) fn memory_cost(&self) -> usize {
        self.memory_cost
    }

    pub(crate) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Returns every row, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = InFlightRow<'_>> {
        self.batches
            .iter()
            .flat_map(|batch| batch.batch.rows_with_runs().map(move |(row, run)| (batch, row, run.fence_token)))
            .enumerate()
            .map(|(index, (batch, row, fence_token))| InFlightRow { index, fence_token, batch, row })
    }

    /// Returns the runs of all its batches, in order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &RowRun> {
        self.batches.iter().flat_map(|encoded| &encoded.batch.runs)
    }

    /// Returns its batches without their workers' feedback.
    pub(crate) fn into_row_batches(self) -> impl Iterator<Item = RowBatch> {
        self.batches.into_iter().map(|encoded| encoded.batch)
    }
}
