//! Statistics that the writer records while it works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::{Clock, SystemClock};

use super::freshness::RowFreshnessHistograms;
use super::recent_rows::RecentRows;
use super::status::RedisWriterStatus;
use crate::outage::{OutageNotice, OutageTracker};
use crate::redis::rows::batch::InFlightBatch;

/// The result of writing an in-flight batch, for the statistics.
#[derive(Debug)]
pub(crate) struct BatchWriteSummary {
    /// The positions of the refused rows in the in-flight batch, in ascending order.
    pub(crate) refused_row_positions: Vec<usize>,
    /// The number of rows that were dropped because their partition was lost.
    pub(crate) dropped_row_count: usize,
    /// The duration of the transaction.
    pub(crate) transaction_duration: Duration,
}

/// Counters, freshness and recent rows of one writer. Workers and the writer thread update the statistics, and
/// observers read them.
pub(crate) struct WriterStatistics {
    clock: SystemClock,
    freshness: RowFreshnessHistograms,
    recent_rows: RecentRows,
    unacknowledged_bytes: AtomicUsize,
    unacknowledged_bytes_peak: AtomicUsize,
    unacknowledged_bytes_limit: usize,
    delivery: Mutex<DeliveryStatistics>,
}

#[derive(Default)]
struct DeliveryStatistics {
    rows_written: u64,
    transaction_count: u64,
    total_transaction_time: Duration,
    rows_refused: u64,
    rows_of_lost_partitions: u64,
    reconnect_count: u64,
    outage: OutageTracker,
    /// The outages in which Redis answers, but replicas or disks lack written rows.
    acknowledgement_outage: OutageTracker,
    last_error: Option<String>,
}

impl WriterStatistics {
    pub(crate) fn new(unacknowledged_bytes_limit: usize) -> Self {
        Self {
            clock: SystemClock::start(),
            freshness: RowFreshnessHistograms::default(),
            recent_rows: RecentRows::default(),
            unacknowledged_bytes: AtomicUsize::default(),
            unacknowledged_bytes_peak: AtomicUsize::default(),
            unacknowledged_bytes_limit,
            delivery: Mutex::default(),
        }
    }

    /// Records how many bytes of rows are now queued or in flight.
    pub(crate) fn set_unacknowledged_bytes(&self, bytes: usize) {
        self.unacknowledged_bytes.store(bytes, Ordering::Release);
        self.unacknowledged_bytes_peak.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Records the `result` of writing `batch`. If no row was dropped, also records the freshness of the rows and keeps
    /// the rows for the pages.
    pub(crate) fn record_completed_batch(&self, batch: InFlightBatch, result: &BatchWriteSummary) {
        let BatchWriteSummary {
            refused_row_positions: refused_rows,
            dropped_row_count: dropped_rows,
            transaction_duration: duration,
        } = result;
        let written = batch.row_count() - refused_rows.len() - dropped_rows;
        {
            let mut delivery = self.delivery.lock();
            delivery.rows_written += written as u64;
            delivery.rows_refused += refused_rows.len() as u64;
            delivery.rows_of_lost_partitions += *dropped_rows as u64;
            if written > 0 {
                delivery.transaction_count += 1;
                delivery.total_transaction_time += *duration;
            }
        }
        if *dropped_rows == 0 {
            let now_ms = self.clock.wall_now_ms();
            self.freshness.observe_batch_freshness(&batch, refused_rows, now_ms);
            self.recent_rows.keep_batch(batch, refused_rows, now_ms);
        }
    }

    /// Records that Redis did not answer or accepted no rows, because of `reason`. Returns the kind of log line that is
    /// due, if any.
    pub(crate) fn record_failure(&self, reason: &str) -> Option<OutageNotice> {
        let mut delivery = self.delivery.lock();
        delivery.last_error = Some(reason.to_owned());
        delivery.outage.record_failure(reason)
    }

    /// Records that Redis answered. If this answer ends an outage, returns the duration of the outage; otherwise
    /// returns `None`.
    pub(crate) fn record_answer(&self) -> Option<Duration> {
        self.delivery.lock().outage.record_success()
    }

    /// Records that replicas or disks have lacked written rows for too long, because of `reason`. Returns the kind of log
    /// line that is due, if any.
    pub(crate) fn record_missing_acknowledgement(&self, reason: &str) -> Option<OutageNotice> {
        let mut delivery = self.delivery.lock();
        delivery.last_error = Some(reason.to_owned());
        delivery.acknowledgement_outage.record_failure(reason)
    }

    /// Records that replicas and disks have all written rows. If this ends an outage, returns its duration.
    pub(crate) fn record_acknowledgement(&self) -> Option<Duration> {
        self.delivery.lock().acknowledgement_outage.record_success()
    }

    /// Records that the writer opened one more connection after its first connection.
    pub(crate) fn record_reconnect(&self) {
        self.delivery.lock().reconnect_count += 1;
    }

    pub(crate) fn status(&self) -> RedisWriterStatus {
        let delivery = self.delivery.lock();
        RedisWriterStatus {
            rows_written: delivery.rows_written,
            transaction_count: delivery.transaction_count,
            total_transaction_time: delivery.total_transaction_time,
            rows_refused: delivery.rows_refused,
            rows_of_lost_partitions: delivery.rows_of_lost_partitions,
            unacknowledged_bytes: self.unacknowledged_bytes.load(Ordering::Acquire),
            unacknowledged_bytes_limit: self.unacknowledged_bytes_limit,
            unacknowledged_bytes_peak: self.unacknowledged_bytes_peak.load(Ordering::Relaxed),
            reconnect_count: delivery.reconnect_count,
            ongoing_outage: delivery
                .outage
                .ongoing_outage()
                .or_else(|| delivery.acknowledgement_outage.ongoing_outage()),
            last_error: delivery.last_error.clone(),
        }
    }
}

/// A handle to the statistics of a writer. The handle remains valid after the writer has ended.
#[derive(Clone)]
pub struct RedisWriterObserver(Arc<WriterStatistics>);

impl RedisWriterObserver {
    pub(crate) fn new(statistics: Arc<WriterStatistics>) -> Self {
        Self(statistics)
    }

    /// Returns the current counters.
    #[must_use]
    pub fn status(&self) -> RedisWriterStatus {
        self.0.status()
    }

    /// Returns the histograms of the freshness of all rows written so far.
    #[must_use]
    pub fn freshness(&self) -> &RowFreshnessHistograms {
        &self.0.freshness
    }

    /// Returns a handle to the newest written rows.
    #[must_use]
    pub fn recent_rows(&self) -> RecentRows {
        self.0.recent_rows.clone()
    }
}
