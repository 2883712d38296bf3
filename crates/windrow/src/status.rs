//! Numbers and spans of time as people say them, and the summary of what workers did.

use std::time::Duration;

use windrow_core::{EventTime, FeatureView};
use windrow_engine::WorkerMetrics;

/// `1,234,567`.
pub(crate) fn format_count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `2,000 rows`.
pub(crate) fn format_plural(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", format_count(number), if number == 1 { "" } else { "s" })
}

/// `512 B`, `41 kB`, `1.3 MB`.
pub(crate) fn format_byte_size(number: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // three digits are shown
    let number_f = number as f64;
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{:.0} kB", number_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number_f / 1e6),
        _ => format!("{:.2} GB", number_f / 1e9),
    }
}

/// `2 h 0 min`, `10 min`, `9.5 s`, `0.3 s`, `40 ms`: what a person would say.
pub(crate) fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() < 100 => format!("{} ms", duration.as_millis()),
        0..60 if duration.subsec_millis() > 0 => format!("{:.1} s", duration.as_secs_f64()),
        0..60 => format!("{seconds} s"),
        60..3_600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ if seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// As [`format_duration`], for the milliseconds of a pipeline.
pub(crate) fn format_duration_ms(ms: i64) -> String {
    format_duration(Duration::from_millis(ms.unsigned_abs()))
}

/// An event time as a person reads it, in UTC.
pub(crate) fn format_event_time(time: EventTime) -> String {
    jiff::Timestamp::from_millisecond(time.ms()).map_or_else(|_| "end of input".to_owned(), |time| time.to_string())
}

/// What all workers did, added up.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerTotals {
    pub(crate) records: u64,
    pub(crate) dead_letters: u64,
    pub(crate) refused_rows: u64,
    pub(crate) entities: u64,
    pub(crate) watermark: Option<EventTime>,
    pub(crate) checkpoints: u64,
    pub(crate) checkpoints_failed: u64,
    /// Age of the oldest last good checkpoint.
    pub(crate) checkpoint_age: Option<Duration>,
    /// The longest of the workers' last checkpoints.
    pub(crate) checkpoint_duration: Duration,
    /// Bytes that the workers' last checkpoints added.
    pub(crate) checkpoint_added_bytes: u64,
    /// Bytes of the workers' last checkpoints.
    pub(crate) state_bytes: u64,
    /// The longest that saving has kept a worker from its records.
    pub(crate) longest_pause: Duration,
    /// Per feature view: rows and late events.
    pub(crate) views: Vec<(u64, u64)>,
}

impl WorkerTotals {
    pub(crate) fn sum_workers<'a>(workers: impl IntoIterator<Item = &'a WorkerMetrics>, views: usize) -> Self {
        use std::sync::atomic::Ordering::Relaxed;
        let mut totals = Self { views: vec![(0, 0); views], ..Self::default() };
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
                total.0 += view.rows.get();
                total.1 += view.late_events.get();
            }
        }
        totals
    }

    /// Rows of all views.
    pub(crate) fn total_rows(&self) -> u64 {
        self.views.iter().map(|(rows, _)| rows).sum()
    }

    /// One line per feature view.
    pub(crate) fn format_view_lines(&self, views: &[FeatureView]) -> Vec<String> {
        views
            .iter()
            .zip(&self.views)
            .map(|(view, (rows, late))| {
                format!("{}: {}, {}", view.name, format_plural(*rows, "row"), format_plural(*late, "late event"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 12, 123, 1_234, 1_234_567].map(format_count), ["0", "12", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn spans_are_what_people_say() {
        let said = |ms| format_duration(Duration::from_millis(ms));
        assert_eq!(said(40), "40 ms");
        assert_eq!(said(500), "0.5 s");
        assert_eq!(said(10_000), "10 s");
        assert_eq!(said(600_000), "10 min");
        assert_eq!(said(605_000), "10 min 5 s");
        assert_eq!(said(7_200_000), "2 h");
        assert_eq!(said(5_400_000), "1 h 30 min");
        assert_eq!(said(90_000_000), "1 d 1 h");
    }
}
