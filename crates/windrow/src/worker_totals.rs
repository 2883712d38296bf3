//! Combines the metrics of all workers into sums, minima and maxima for the log and for summaries.

use std::time::Duration;

use windrow_core::{EventTime, FeatureView};
use windrow_engine::WorkerMetrics;

use crate::format::format_count_with_noun;

/// The numbers of rows and late events of one feature view, summed over all workers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FeatureViewTotals {
    pub(crate) fired_row_count: u64,
    pub(crate) late_event_count: u64,
}

/// The metrics of all workers, combined into sums, minima and maxima.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerTotals {
    pub(crate) records_read: u64,
    pub(crate) dead_letter_count: u64,
    pub(crate) refused_row_count: u64,
    pub(crate) entity_count: u64,
    pub(crate) lowest_watermark: Option<EventTime>,
    pub(crate) completed_checkpoint_count: u64,
    pub(crate) failed_checkpoint_count: u64,
    /// The age of a partition's last complete checkpoint, as the maximum over all partitions. `None` if no worker owns
    /// a partition.
    pub(crate) longest_time_since_checkpoint: Option<Duration>,
    /// The time from the cut of a worker's last complete checkpoint to its completion, as the maximum over all workers.
    pub(crate) max_last_checkpoint_duration: Duration,
    /// The size in bytes of the newest layer of each worker's last complete checkpoint, summed over all workers.
    pub(crate) last_checkpoint_added_bytes: u64,
    /// The size in bytes of all layers of each worker's last complete checkpoint, summed over all workers.
    pub(crate) last_checkpoint_total_bytes: u64,
    /// The longest time for which saving a snapshot has paused the processing of records in a worker.
    pub(crate) longest_snapshot_pause: Duration,
    /// The totals of each feature view.
    pub(crate) view_totals: Vec<FeatureViewTotals>,
}

impl WorkerTotals {
    /// Combines the metrics of `workers`. `views` is the number of feature views.
    pub(crate) fn combine_worker_metrics<'a>(
        workers: impl IntoIterator<Item = &'a WorkerMetrics>,
        views: usize,
    ) -> Self {
        use std::sync::atomic::Ordering::Relaxed;
        let mut totals = Self { view_totals: vec![FeatureViewTotals::default(); views], ..Self::default() };
        for worker in workers {
            totals.records_read += worker.records_read.get();
            totals.dead_letter_count += worker.dead_letters.get();
            totals.refused_row_count += worker.refused_rows.get();
            totals.entity_count += worker.entity_count.load(Relaxed);
            let checkpoints = &worker.checkpoint_metrics;
            totals.completed_checkpoint_count += checkpoints.completed_checkpoints.get();
            totals.failed_checkpoint_count += checkpoints.failed_checkpoints.get();
            totals.longest_time_since_checkpoint =
                totals.longest_time_since_checkpoint.max(checkpoints.longest_time_since_checkpoint());
            totals.max_last_checkpoint_duration =
                totals.max_last_checkpoint_duration.max(checkpoints.last_checkpoint_duration());
            totals.last_checkpoint_added_bytes += checkpoints.last_checkpoint_added_bytes();
            totals.last_checkpoint_total_bytes += checkpoints.last_checkpoint_total_bytes();
            totals.longest_snapshot_pause = totals.longest_snapshot_pause.max(checkpoints.longest_snapshot_pause());
            if let Some(watermark) = worker.lowest_watermark() {
                totals.lowest_watermark =
                    Some(totals.lowest_watermark.map_or(watermark, |lowest| lowest.min(watermark)));
            }
            for (total, view) in totals.view_totals.iter_mut().zip(&worker.view_metrics) {
                total.fired_row_count += view.fired_rows.get();
                total.late_event_count += view.late_events.get();
            }
        }
        totals
    }

    /// Returns the number of fired rows, summed over all feature views.
    pub(crate) fn total_fired_rows(&self) -> u64 {
        self.view_totals.iter().map(|view| view.fired_row_count).sum()
    }

    /// Returns the number of late events, summed over all feature views.
    pub(crate) fn total_late_events(&self) -> u64 {
        self.view_totals.iter().map(|view| view.late_event_count).sum()
    }

    /// Formats the totals of each feature view as one line.
    pub(crate) fn format_view_lines(&self, views: &[FeatureView]) -> Vec<String> {
        views
            .iter()
            .zip(&self.view_totals)
            .map(|(view, totals)| {
                let (rows, late) = (
                    format_count_with_noun(totals.fired_row_count, "row"),
                    format_count_with_noun(totals.late_event_count, "late event"),
                );
                format!("{}: {rows}, {late}", view.name)
            })
            .collect()
    }
}
