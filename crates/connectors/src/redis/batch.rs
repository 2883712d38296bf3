//! Rows on their way: encoded commands, and which bytes belong to which row.
//!
//! Owns: the bookkeeping of bytes. Does not own: their meaning (see [`super::encode`]), where they wait (the queue).

use std::ops::Range;
use std::sync::Arc;

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

/// Rows of one worker, sealed and acknowledged together.
#[derive(Default, Debug)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: Vec<Span>,
}

impl Batch {
    /// What it takes of the memory set aside for waiting rows.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + self.rows.len() * size_of::<Span>()
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

    /// Every row with the batch it is in, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Sealed, &Span)> {
        self.batches.iter().flat_map(|sealed| sealed.batch.rows.iter().map(move |span| (sealed, span)))
    }
}

impl Sealed {
    /// The Redis key of a row.
    pub(super) fn key(&self, span: &Span) -> &[u8] {
        &self.batch.bytes[span.key.clone()]
    }

    /// The commands of a row.
    pub(super) fn commands(&self, span: &Span) -> &[u8] {
        &self.batch.bytes[span.commands.clone()]
    }
}
