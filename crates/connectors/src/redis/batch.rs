//! Rows on their way: encoded commands, which bytes belong to which row, and whose rows they are.
//!
//! Owns: the bookkeeping of bytes and origins. Does not own: their meaning (see [`super::encode`]), where they wait (the queue).

use std::ops::Range;
use std::sync::Arc;

use windrow_core::ViewId;
use windrow_engine::{FenceToken, TriggerRecord};

use super::sink::WorkerFeedback;

/// Where one row stands in its batch's bytes.
#[derive(Clone, Debug)]
pub(super) struct EncodedRow {
    /// Its Redis key, without the length before it.
    pub(super) redis_key_range: Range<usize>,
    /// All its commands.
    pub(super) commands_range: Range<usize>,
    /// How many commands these are.
    pub(super) command_count: usize,
}

/// Rows of one view and origin that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowRun {
    pub(super) fence_token: FenceToken,
    pub(super) view: ViewId,
    /// How many.
    row_count: usize,
    /// The largest number among them.
    pub(super) last_row_number: u64,
}

/// Rows that follow each other and are due to the same record.
#[derive(Clone, Copy, Debug)]
pub(super) struct TriggeredRows {
    pub(super) trigger: Option<TriggerRecord>,
    /// How many.
    pub(super) row_count: usize,
}

/// Rows of one worker, sealed and acknowledged together.
#[derive(Default, Debug)]
pub(super) struct RowBatch {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: Vec<EncodedRow>,
    row_runs: Vec<RowRun>,
    /// What the rows are due to.
    pub(super) triggered_rows: Vec<TriggeredRows>,
}

impl RowBatch {
    /// What it takes of the memory set aside for waiting rows.
    pub(super) fn memory_cost(&self) -> usize {
        self.bytes.len()
            + self.rows.len() * size_of::<EncodedRow>()
            + self.row_runs.len() * size_of::<RowRun>()
            + self.triggered_rows.len() * size_of::<TriggeredRows>()
    }

    /// An empty batch with room for as much as this one holds.
    pub(super) fn new_with_same_capacity(&self) -> Self {
        Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            rows: Vec::with_capacity(self.rows.len()),
            row_runs: Vec::with_capacity(self.row_runs.len()),
            triggered_rows: Vec::with_capacity(self.triggered_rows.len()),
        }
    }

    /// The rows that follow are due to `cause`.
    pub(super) fn set_trigger(&mut self, cause: Option<TriggerRecord>) {
        match self.triggered_rows.last_mut() {
            Some(due) if due.row_count == 0 || due.trigger == cause => due.trigger = cause,
            _ => self.triggered_rows.push(TriggeredRows { trigger: cause, row_count: 0 }),
        }
    }

    /// Adds a row whose commands end the bytes.
    pub(super) fn push(&mut self, span: EncodedRow, origin: FenceToken, view: ViewId, number: u64) {
        self.rows.push(span);
        match self.triggered_rows.last_mut() {
            Some(due) => due.row_count += 1,
            None => self.triggered_rows.push(TriggeredRows { trigger: None, row_count: 1 }),
        }
        match self.row_runs.last_mut() {
            Some(run) if run.fence_token == origin && run.view == view => {
                run.row_count += 1;
                run.last_row_number = run.last_row_number.max(number);
            }
            _ => self.row_runs.push(RowRun { fence_token: origin, view, row_count: 1, last_row_number: number }),
        }
    }

    /// Adds a look at the fence of `origin`, without a row.
    pub(super) fn add_fence_check(&mut self, origin: FenceToken) {
        if self.row_runs.iter().all(|run| run.fence_token != origin) {
            self.row_runs.push(RowRun { fence_token: origin, view: ViewId(0), row_count: 0, last_row_number: 0 });
        }
    }

    /// Whether there is nothing to bring to Redis.
    pub(super) fn is_empty(&self) -> bool {
        self.row_runs.is_empty()
    }

    /// Whether it should be sealed.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= super::BATCH_ROWS || self.bytes.len() >= super::BATCH_BYTES
    }
}

/// A batch and the worker it is from.
#[derive(Debug)]
pub(super) struct EncodedBatch {
    pub(super) batch: RowBatch,
    pub(super) feedback: Arc<WorkerFeedback>,
}

/// What one transaction carries: some batches in their order, possibly of several workers. Without any it is a question
/// whether Redis is there.
#[derive(Default, Debug)]
pub(super) struct InFlightBatch {
    pub(super) batches: Vec<EncodedBatch>,
    memory_cost: usize,
    row_count: usize,
    byte_count: usize,
}

impl InFlightBatch {
    /// Whether `batch` may come along. The first one always may.
    pub(super) fn has_room_for(&self, batch: &RowBatch) -> bool {
        self.batches.is_empty()
            || (self.row_count + batch.rows.len() <= super::BATCH_ROWS
                && self.byte_count + batch.bytes.len() <= super::BATCH_BYTES)
    }

    pub(super) fn push(&mut self, sealed: EncodedBatch) {
        self.memory_cost += sealed.batch.memory_cost();
        self.row_count += sealed.batch.rows.len();
        self.byte_count += sealed.batch.bytes.len();
        self.batches.push(sealed);
    }

    /// What its batches take of the memory set aside for waiting rows.
    pub(super) fn memory_cost(&self) -> usize {
        self.memory_cost
    }

    /// Number of rows.
    pub(super) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Every row with the batch it is in and its origin, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&EncodedBatch, &EncodedRow, FenceToken)> {
        self.batches.iter().flat_map(|sealed| {
            let origins =
                sealed.batch.row_runs.iter().flat_map(|run| std::iter::repeat_n(run.fence_token, run.row_count));
            sealed.batch.rows.iter().zip(origins).map(move |(span, origin)| (sealed, span, origin))
        })
    }

    /// Its batches; what they took of memory is no longer counted here.
    pub(super) fn into_batches(self) -> impl Iterator<Item = RowBatch> {
        self.batches.into_iter().map(|sealed| sealed.batch)
    }

    /// The rows' origins and numbers.
    pub(super) fn row_runs(&self) -> impl Iterator<Item = &RowRun> {
        self.batches.iter().flat_map(|sealed| &sealed.batch.row_runs)
    }
}

impl RowBatch {
    /// The memory it takes, room for more included.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.rows.capacity() * size_of::<EncodedRow>()
            + self.row_runs.capacity() * size_of::<RowRun>()
            + self.triggered_rows.capacity() * size_of::<TriggeredRows>()
    }

    /// Every row with its view, in order.
    pub(super) fn rows_with_views(&self) -> impl Iterator<Item = (&EncodedRow, ViewId)> {
        let views = self.row_runs.iter().flat_map(|run| std::iter::repeat_n(run.view, run.row_count));
        self.rows.iter().zip(views)
    }
}

impl EncodedBatch {
    /// Whether it holds rows of `origin`.
    pub(super) fn has_rows_of(&self, origin: FenceToken) -> bool {
        self.batch.row_runs.iter().any(|run| run.fence_token == origin)
    }

    /// The Redis key of a row.
    pub(super) fn redis_key(&self, span: &EncodedRow) -> &[u8] {
        &self.batch.bytes[span.redis_key_range.clone()]
    }

    /// The commands of a row.
    pub(super) fn row_commands(&self, span: &EncodedRow) -> &[u8] {
        &self.batch.bytes[span.commands_range.clone()]
    }
}
