//! Sums and extremes of the metrics of all workers, for the log and for summaries.

use std::time::Duration;

use windrow_core::{EventTime, FeatureView};
use windrow_engine::WorkerMetrics;

use crate::format::format_count_with_noun;

/// Rows and late events of one feature view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FeatureViewTotals {
    pub(crate) rows: u64,
    pub(crate) late_events: u64,
}

/// Sums and extremes of the metrics of all workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerTotals {
    pub(crate) records: u64,
    pub(crate) dead_letters: u64,
    pub(crate) refused_rows: u64,
    pub(crate) entities: u64,
    pub(crate) lowest_watermark: Option<EventTime>,
    pub(crate) completed_checkpoints: u64,
    pub(crate) failed_checkpoints: u64,
    /// The largest age of a partition's last complete checkpoint.
    pub(crate) longest_time_since_checkpoint: Option<Duration>,
    /// The longest duration of a worker's last checkpoint.
    pub(crate) longest_checkpoint_duration: Duration,
    /// Bytes that the last checkpoints of all workers added.
    pub(crate) last_checkpoint_added_bytes: u64,
    /// Bytes of the last checkpoints of all workers.
    pub(crate) last_checkpoint_bytes: u64,
    /// The longest time that a snapshot paused a worker.
    pub(crate) longest_pause: Duration,
    /// The totals of each feature view.
    pub(crate) view_totals: Vec<FeatureViewTotals>,
}

impl WorkerTotals {
    /// Combines the metrics of these workers. `views` is the number of feature views.
    pub(crate) fn sum_workers<'a>(workers: impl IntoIterator<Item = &'a WorkerMetrics>, views: usize) -> Self {
        use std::sync::atomic::Ordering::Relaxed;
        let mut totals = Self { view_totals: vec![FeatureViewTotals::default(); views], ..Self::default() };
        for worker in workers {
            totals.records += worker.read_records.get();
            totals.dead_letters += worker.dead_letters.get();
            totals.refused_rows += worker.refused_rows.get();
            totals.entities += worker.entity_count.load(Relaxed);
            let checkpoints = &worker.checkpoint_metrics;
            totals.completed_checkpoints += checkpoints.completed_checkpoints.get();
            totals.failed_checkpoints += checkpoints.failed_checkpoints.get();
            totals.longest_time_since_checkpoint =
                totals.longest_time_since_checkpoint.max(checkpoints.longest_time_since_checkpoint());
            totals.longest_checkpoint_duration =
                totals.longest_checkpoint_duration.max(checkpoints.last_checkpoint_duration());
            totals.last_checkpoint_added_bytes += checkpoints.last_checkpoint_added_bytes();
            totals.last_checkpoint_bytes += checkpoints.last_checkpoint_total_bytes();
            totals.longest_pause = totals.longest_pause.max(checkpoints.longest_snapshot_pause());
            if let Some(watermark) = worker.lowest_watermark() {
                totals.lowest_watermark =
                    Some(totals.lowest_watermark.map_or(watermark, |lowest| lowest.min(watermark)));
            }
            for (total, view) in totals.view_totals.iter_mut().zip(&worker.view_metrics) {
                total.rows += view.fired_rows.get();
                total.late_events += view.late_events.get();
            }
        }
        totals
    }

    /// Returns the number of rows of all views.
    pub(crate) fn total_rows(&self) -> u64 {
        self.view_totals.iter().map(|view| view.rows).sum()
    }

    /// Returns the number of late events of all views.
    pub(crate) fn total_late_events(&self) -> u64 {
        self.view_totals.iter().map(|view| view.late_events).sum()
    }

    /// Formats the totals of each feature view as one line.
    pub(crate) fn format_view_lines(&self, views: &[FeatureView]) -> Vec<String> {
        views
            .iter()
            .zip(&self.view_totals)
            .map(|(view, totals)| {
                let (rows, late) = (
                    format_count_with_noun(totals.rows, "row"),
                    format_count_with_noun(totals.late_events, "late event"),
                );
                format!("{}: {rows}, {late}", view.name)
            })
            .collect()
    }
}
