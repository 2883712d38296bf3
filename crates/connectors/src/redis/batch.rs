//! Rows on their way: encoded commands, which bytes belong to which row, and whose rows they are.
//!
//! Owns: the bookkeeping of bytes and origins. Does not own: their meaning (see [`super::encode`]), where they wait (the queue).

use std::ops::Range;
use std::sync::Arc;

use windrow_core::ViewId;
use windrow_engine::{Cause, Origin};

use super::sink::Lane;

/// Where one row stands in its batch's bytes.
#[derive(Clone, Debug)]
pub(super) struct Span {
    /// Its Redis key, without the length before it.
    pub(super) key: Range<usize>,
    /// All its commands.
    pub(super) commands: Range<usize>,
    /// How many commands these are.
    pub(super) count: usize,
}

/// Rows of one view and origin that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) origin: Origin,
    pub(super) view: ViewId,
    /// How many.
    rows: usize,
    /// The largest number among them.
    pub(super) number: u64,
}

/// Rows that follow each other and are due to the same record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) cause: Option<Cause>,
    /// How many.
    pub(super) rows: usize,
}

/// Rows of one worker, sealed and acknowledged together.
#[derive(Default, Debug)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: Vec<Span>,
    runs: Vec<Run>,
    /// What the rows are due to.
    pub(super) dues: Vec<Due>,
}

impl Batch {
    /// What it takes of the memory set aside for waiting rows.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len()
            + self.rows.len() * size_of::<Span>()
            + self.runs.len() * size_of::<Run>()
            + self.dues.len() * size_of::<Due>()
    }

    /// An empty batch with room for as much as this one holds.
    pub(super) fn alike(&self) -> Self {
        Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            rows: Vec::with_capacity(self.rows.len()),
            runs: Vec::with_capacity(self.runs.len()),
            dues: Vec::with_capacity(self.dues.len()),
        }
    }

    /// The rows that follow are due to `cause`.
    pub(super) fn due_to(&mut self, cause: Option<Cause>) {
        match self.dues.last_mut() {
            Some(due) if due.rows == 0 || due.cause == cause => due.cause = cause,
            _ => self.dues.push(Due { cause, rows: 0 }),
        }
    }

    /// Adds a row whose commands end the bytes.
    pub(super) fn push(&mut self, span: Span, origin: Origin, view: ViewId, number: u64) {
        self.rows.push(span);
        match self.dues.last_mut() {
            Some(due) => due.rows += 1,
            None => self.dues.push(Due { cause: None, rows: 1 }),
        }
        match self.runs.last_mut() {
            Some(run) if run.origin == origin && run.view == view => {
                run.rows += 1;
                run.number = run.number.max(number);
            }
            _ => self.runs.push(Run { origin, view, rows: 1, number }),
        }
    }

    /// Adds a look at the fence of `origin`, without a row.
    pub(super) fn check(&mut self, origin: Origin) {
        if self.runs.iter().all(|run| run.origin != origin) {
            self.runs.push(Run { origin, view: ViewId(0), rows: 0, number: 0 });
        }
    }

    /// Whether there is nothing to bring to Redis.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether it should be sealed.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= super::BATCH_ROWS || self.bytes.len() >= super::BATCH_BYTES
    }
}

/// A batch and the worker it is from.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) batch: Batch,
    pub(super) lane: Arc<Lane>,
}

/// What one transaction carries: some batches in their order, possibly of several workers. Without any it is a question
/// whether Redis is there.
#[derive(Default, Debug)]
pub(super) struct Flight {
    pub(super) batches: Vec<Sealed>,
    cost: usize,
    rows: usize,
    bytes: usize,
}

impl Flight {
    /// Whether `batch` may come along. The first one always may.
    pub(super) fn has_room_for(&self, batch: &Batch) -> bool {
        self.batches.is_empty()
            || (self.rows + batch.rows.len() <= super::BATCH_ROWS
                && self.bytes + batch.bytes.len() <= super::BATCH_BYTES)
    }

    pub(super) fn push(&mut self, sealed: Sealed) {
        self.cost += sealed.batch.cost();
        self.rows += sealed.batch.rows.len();
        self.bytes += sealed.batch.bytes.len();
        self.batches.push(sealed);
    }

    /// What its batches take of the memory set aside for waiting rows.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Number of rows.
    pub(super) fn row_count(&self) -> usize {
        self.rows
    }

    /// Every row with the batch it is in and its origin, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Sealed, &Span, Origin)> {
        self.batches.iter().flat_map(|sealed| {
            let origins = sealed.batch.runs.iter().flat_map(|run| std::iter::repeat_n(run.origin, run.rows));
            sealed.batch.rows.iter().zip(origins).map(move |(span, origin)| (sealed, span, origin))
        })
    }

    /// Its batches; what they took of memory is no longer counted here.
    pub(super) fn into_batches(self) -> impl Iterator<Item = Batch> {
        self.batches.into_iter().map(|sealed| sealed.batch)
    }

    /// The rows' origins and numbers.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.batches.iter().flat_map(|sealed| &sealed.batch.runs)
    }
}

impl Batch {
    /// The memory it takes, room for more included.
    pub(super) fn room(&self) -> usize {
        self.bytes.capacity()
            + self.rows.capacity() * size_of::<Span>()
            + self.runs.capacity() * size_of::<Run>()
            + self.dues.capacity() * size_of::<Due>()
    }

    /// Every row with its view, in order.
    pub(super) fn views(&self) -> impl Iterator<Item = (&Span, ViewId)> {
        let views = self.runs.iter().flat_map(|run| std::iter::repeat_n(run.view, run.rows));
        self.rows.iter().zip(views)
    }
}

impl Sealed {
    /// Whether it holds rows of `origin`.
    pub(super) fn is_from(&self, origin: Origin) -> bool {
        self.batch.runs.iter().any(|run| run.origin == origin)
    }

    /// The Redis key of a row.
    pub(super) fn key(&self, span: &Span) -> &[u8] {
        &self.batch.bytes[span.key.clone()]
    }

    /// The commands of a row.
    pub(super) fn commands(&self, span: &Span) -> &[u8] {
        &self.batch.bytes[span.commands.clone()]
    }
}
