//! Passes the output of a shard to the sink.

use windrow_core::{LateEvent, LatenessCause, Row, ShardOutput, ViewId};

use super::partition_clock::PartitionClock;

use crate::{FenceToken, Sink, TriggerRecord, WorkerMetrics};

/// Counts the rows of a shard and passes the rows to the sink. Omits rows that the row store already has. If the worker
/// wrote such a row again, the row would replace a newer row for some time.
pub(super) struct RowEmitter<'a, Output> {
    pub(super) fence_token: FenceToken,
    /// For each view, the number of the last row that the row store had when the worker opened the partition.
    pub(super) last_written_row_number_by_view: &'a [u64],
    pub(super) sink: &'a mut Output,
    pub(super) metrics: &'a WorkerMetrics,
    /// What makes windows fire; `None` at the end of the input.
    pub(super) trigger_record: Option<TriggerRecord>,
    /// Whether the sink has received `trigger_record`.
    pub(super) sink_has_trigger_record: bool,
    /// The decisions of the wall clock on which the rows may depend.
    pub(super) clock: &'a mut PartitionClock,
    /// The views for which the current event was late.
    pub(super) late_views: &'a mut Vec<ViewId>,
}

impl<Output: Sink> ShardOutput for RowEmitter<'_, Output> {
    fn emit_row(&mut self, row: Row<'_>) {
        let rows_written = self.last_written_row_number_by_view.get(row.view_id.0).copied().unwrap_or(0);
        if row.row_number != 0 && row.row_number <= rows_written {
            self.metrics.rows_already_written.add(1);
            return;
        }
        self.metrics.view_metrics[row.view_id.0].fired_rows.add(1);
        if !self.sink_has_trigger_record {
            self.sink_has_trigger_record = true;
            self.sink.set_trigger_record(self.trigger_record);
        }
        self.clock.hand_unsent_decisions_to(self.sink, self.fence_token);
        self.sink.write_row(self.fence_token, row);
    }

    fn emit_late_event(&mut self, late: LateEvent<'_>) {
        let metrics = &self.metrics.view_metrics[late.view_id.0];
        metrics.late_events.add(1);
        if late.cause == LatenessCause::IdlePartition {
            metrics.late_after_idle_events.add(1);
        }
        self.late_views.push(late.view_id);
        self.sink.write_late_event(late);
    }
}
