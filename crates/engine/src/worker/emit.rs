//! What a shard emits and what is no event, on their way out of the worker.

use tracing::warn;
use windrow_core::{LateEvent, Row, ShardOutput, ViewId};

use crate::{DeadLetter, DeadLetterSink, FenceToken, Halt, Sink, TriggerRecord, WorkerMetrics};

/// Dead letters logged in full per worker; the rest are counted.
const MAX_LOGGED_DEAD_LETTERS: u64 = 10;

/// Passes on what a shard emits, and counts it. Rows that are in the store already are left out: written once more they
/// would take the place of newer ones for a while.
pub(super) struct RowEmitter<'a, K> {
    pub(super) fence_token: FenceToken,
    pub(super) rows_written: &'a [u64],
    pub(super) sink: &'a mut K,
    pub(super) metrics: &'a WorkerMetrics,
    /// What the rows are due to, and whether the sink has been told.
    pub(super) trigger: Option<TriggerRecord>,
    pub(super) trigger_set: bool,
    /// The views that the event at hand was late for.
    pub(super) late_views: &'a mut Vec<ViewId>,
}

impl<K: Sink> ShardOutput for RowEmitter<'_, K> {
    fn emit_row(&mut self, row: Row<'_>) {
        let written = self.rows_written.get(row.view.0).copied().unwrap_or(0);
        if row.number != 0 && row.number <= written {
            self.metrics.rows_already_written.add(1);
            return;
        }
        self.metrics.views[row.view.0].rows.add(1);
        if !self.trigger_set {
            self.trigger_set = true;
            self.sink.set_trigger(self.trigger);
        }
        self.sink.write_row(self.fence_token, row);
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        self.metrics.views[late.view.0].late_events.add(1);
        self.late_views.push(late.view);
        self.sink.write_late_event(late);
    }
}

pub(super) fn write_dead_letter(
    letter: &DeadLetter<'_>,
    dead_letters: &mut impl DeadLetterSink,
    metrics: &WorkerMetrics,
) -> Result<(), Halt> {
    metrics.dead_letters.add(1);
    let count = metrics.dead_letters.get();
    if count <= MAX_LOGGED_DEAD_LETTERS {
        let (topic, partition, offset) = (letter.topic, letter.record.partition, letter.record.offset);
        warn!(topic, partition, offset, reason = letter.reason, "dead letter");
    }
    if count == MAX_LOGGED_DEAD_LETTERS {
        warn!("further dead letters are counted, not logged one by one");
    }
    dead_letters.write_record(*letter)
}
