//! The metrics of all workers, added up for the log and for summaries.

use std::time::Duration;

use windrow_core::{EventTime, FeatureView};
use windrow_engine::WorkerMetrics;

use crate::format::format_plural;

/// Rows and late events of one feature view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FeatureViewTotals {
    pub(crate) rows: u64,
    pub(crate) late_events: u64,
}

/// The metrics of all workers, added up.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerTotals {
    pub(crate) records: u64,
    pub(crate) dead_letters: u64,
    pub(crate) refused_rows: u64,
    pub(crate) entities: u64,
    pub(crate) watermark: Option<EventTime>,
    pub(crate) checkpoints: u64,
    pub(crate) checkpoints_failed: u64,
    /// The age of the last complete checkpoint of the partition where it is oldest.
    pub(crate) checkpoint_age: Option<Duration>,
    /// The longest of the workers' last checkpoints.
    pub(crate) checkpoint_duration: Duration,
    /// Bytes that the workers' last checkpoints added.
    pub(crate) checkpoint_added_bytes: u64,
    /// Bytes of the workers' last checkpoints.
    pub(crate) state_bytes: u64,
    /// The longest pause of a worker for a snapshot.
    pub(crate) longest_pause: Duration,
    /// One entry per feature view.
    pub(crate) views: Vec<FeatureViewTotals>,
}

impl WorkerTotals {
    /// Adds up the metrics of these workers, which have `views` feature views.
    pub(crate) fn sum_workers<'a>(workers: impl IntoIterator<Item = &'a WorkerMetrics>, views: usize) -> Self {
        use std::sync::atomic::Ordering::Relaxed;
        let mut totals = Self { views: vec![FeatureViewTotals::default(); views], ..Self::default() };
        for worker in workers {
            totals.records += worker.records.get();
            totals.dead_letters += worker.dead_letters.get();
            totals.refused_rows += worker.refused_rows.get();
            totals.entities += worker.entities.load(Relaxed);
            let checkpoints = &worker.checkpoints;
            totals.checkpoints += checkpoints.completed.get();
            totals.checkpoints_failed += checkpoints.failed.get();
            totals.checkpoint_age = totals.checkpoint_age.max(checkpoints.oldest_age());
            totals.checkpoint_duration = totals.checkpoint_duration.max(checkpoints.last_duration());
            totals.checkpoint_added_bytes += checkpoints.added_bytes();
            totals.state_bytes += checkpoints.state_bytes();
            totals.longest_pause = totals.longest_pause.max(checkpoints.max_pause());
            if let Some(watermark) = worker.watermark() {
                totals.watermark = Some(totals.watermark.map_or(watermark, |lowest| lowest.min(watermark)));
            }
            for (total, view) in totals.views.iter_mut().zip(&worker.views) {
                total.rows += view.rows.get();
                total.late_events += view.late_events.get();
            }
        }
        totals
    }

    /// Returns the rows of all views.
    pub(crate) fn total_rows(&self) -> u64 {
        self.views.iter().map(|view| view.rows).sum()
    }

    /// Returns the late events of all views.
    pub(crate) fn total_late_events(&self) -> u64 {
        self.views.iter().map(|view| view.late_events).sum()
    }

    /// Formats one line per feature view.
    pub(crate) fn format_view_lines(&self, views: &[FeatureView]) -> Vec<String> {
        views
            .iter()
            .zip(&self.views)
            .map(|(view, totals)| {
                let (rows, late) = (format_plural(totals.rows, "row"), format_plural(totals.late_events, "late event"));
                format!("{}: {rows}, {late}", view.name)
            })
            .collect()
    }
}
