//! What a shard emits and what is no event, on their way out of the worker.

use tracing::warn;
use windrow_core::{Late, Output, Row, ViewId};

use crate::{Cause, DeadLetter, DeadLetters, Halt, Origin, Sink, WorkerMetrics};

/// Dead letters logged in full per worker; the rest are counted.
const DEAD_LETTERS_LOGGED: u64 = 10;

/// Passes on what a shard emits, and counts it. Rows that are in the store already are left out: written once more they
/// would take the place of newer ones for a while.
pub(super) struct Emit<'a, K> {
    pub(super) origin: Origin,
    pub(super) written: &'a [u64],
    pub(super) sink: &'a mut K,
    pub(super) metrics: &'a WorkerMetrics,
    /// What the rows are due to, and whether the sink has been told.
    pub(super) cause: Option<Cause>,
    pub(super) told: bool,
    /// The views that the event at hand was late for.
    pub(super) late_for: &'a mut Vec<ViewId>,
}

impl<K: Sink> Output for Emit<'_, K> {
    fn row(&mut self, row: Row<'_>) {
        let written = self.written.get(row.view.0).copied().unwrap_or(0);
        if row.number != 0 && row.number <= written {
            self.metrics.rows_there.add(1);
            return;
        }
        self.metrics.views[row.view.0].rows.add(1);
        if !self.told {
            self.told = true;
            self.sink.cause(self.cause);
        }
        self.sink.row(self.origin, row);
    }

    fn late(&mut self, late: Late<'_>) {
        self.metrics.views[late.view.0].late.add(1);
        self.late_for.push(late.view);
        self.sink.late(late);
    }
}

pub(super) fn bury(
    letter: &DeadLetter<'_>,
    dead_letters: &mut impl DeadLetters,
    metrics: &WorkerMetrics,
) -> Result<(), Halt> {
    metrics.dead_letters.add(1);
    let count = metrics.dead_letters.get();
    if count <= DEAD_LETTERS_LOGGED {
        let (topic, partition, offset) = (letter.topic, letter.record.partition, letter.record.offset);
        warn!(topic, partition, offset, reason = letter.reason, "dead letter");
    }
    if count == DEAD_LETTERS_LOGGED {
        warn!("further dead letters are counted, not logged one by one");
    }
    dead_letters.keep(*letter)
}
