//! What a shard emits, on its way to the sink.

use windrow_core::{LateEvent, Row, ShardOutput, ViewId};

use crate::{FenceToken, Sink, TriggerRecord, WorkerMetrics};

/// Passes on what a shard emits, and counts it. Rows that are in the store already are left out: written again they would
/// replace newer ones for a while.
pub(super) struct RowEmitter<'a, Output> {
    pub(super) fence_token: FenceToken,
    /// Per view, the number of the last row that is in the store already.
    pub(super) rows_written: &'a [u64],
    pub(super) sink: &'a mut Output,
    pub(super) metrics: &'a WorkerMetrics,
    /// The record that made the rows fire.
    pub(super) trigger: Option<TriggerRecord>,
    /// Whether the sink knows `trigger`.
    pub(super) trigger_set: bool,
    /// The views that the event at hand was late for.
    pub(super) late_views: &'a mut Vec<ViewId>,
}

impl<Output: Sink> ShardOutput for RowEmitter<'_, Output> {
    fn emit_row(&mut self, row: Row<'_>) {
        let rows_written = self.rows_written.get(row.view.0).copied().unwrap_or(0);
        if row.number != 0 && row.number <= rows_written {
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
