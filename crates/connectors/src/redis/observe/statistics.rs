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

/// The result of an in-flight batch: the refused rows, the number of dropped rows, and the duration.
#[derive(Debug)]
pub(crate) struct BatchWriteSummary {
    /// The positions of refused rows, ascending.
    pub(crate) refused_row_positions: Vec<usize>,
    /// The number of rows that were dropped because their partition was lost.
    pub(crate) dropped_row_count: usize,
    /// The duration of the transaction.
    pub(crate) transaction_duration: Duration,
}

/// Counters, freshness and recent rows of one writer. The writer thread updates these, and observers read them.
pub(crate) struct WriterStatistics {
    clock: SystemClock,
    freshness: RowFreshnessHistograms,
    recent_rows: RecentRows,
    unacknowledged_bytes: AtomicUsize,
    unacknowledged_bytes_peak: AtomicUsize,
    unacknowledged_bytes_limit: usize,
    transfers: Mutex<DeliveryStatistics>,
}

#[derive(Default)]
struct DeliveryStatistics {
    rows_written: u64,
    transaction_count: u64,
    total_transaction_time: Duration,
    rows_refused: u64,
    rows_dropped: u64,
    reconnect_count: u64,
    outage: OutageTracker,
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
            transfers: Mutex::default(),
        }
    }

    /// Records how many bytes of rows are now queued or in flight.
    pub(crate) fn set_unacknowledged_bytes(&self, bytes: usize) {
        self.unacknowledged_bytes.store(bytes, Ordering::Release);
        self.unacknowledged_bytes_peak.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Records the result of `batch`. Unless some rows were dropped, keeps the rows for pages.
    pub(crate) fn record_completed_batch(&self, batch: InFlightBatch, result: &BatchWriteSummary) {
        let BatchWriteSummary {
            refused_row_positions: refused_rows,
            dropped_row_count: dropped_rows,
            transaction_duration: duration,
        } = result;
        let written = batch.row_count() - refused_rows.len() - dropped_rows;
        {
            let mut transfers = self.transfers.lock();
            transfers.rows_written += written as u64;
            transfers.rows_refused += refused_rows.len() as u64;
            transfers.rows_dropped += *dropped_rows as u64;
            if written > 0 {
                transfers.transaction_count += 1;
                transfers.total_transaction_time += *duration;
            }
        }
        if *dropped_rows == 0 {
            let now_ms = self.clock.wall_now_ms();
            self.freshness.observe_batch_freshness(&batch, refused_rows, now_ms);
            self.recent_rows.keep_batch(batch, refused_rows, now_ms);
        }
    }

    /// Records that Redis did not answer or accepted no rows. Returns the log line that is due.
    pub(crate) fn record_failure(&self, reason: &str) -> Option<OutageNotice> {
        let mut transfers = self.transfers.lock();
        transfers.last_error = Some(reason.to_owned());
        transfers.outage.record_failure(reason)
    }

    /// Records that Redis answered. Returns the duration of the outage that ends with this answer.
    pub(crate) fn record_success(&self) -> Option<Duration> {
        self.transfers.lock().outage.record_success()
    }

    /// Records that a connection was opened after the first one.
    pub(crate) fn record_reconnect(&self) {
        self.transfers.lock().reconnect_count += 1;
    }

    pub(crate) fn status(&self) -> RedisWriterStatus {
        let transfers = self.transfers.lock();
        RedisWriterStatus {
            rows_written: transfers.rows_written,
            transaction_count: transfers.transaction_count,
            total_transaction_time: transfers.total_transaction_time,
            rows_refused: transfers.rows_refused,
            rows_dropped: transfers.rows_dropped,
            unacknowledged_bytes: self.unacknowledged_bytes.load(Ordering::Acquire),
            unacknowledged_bytes_limit: self.unacknowledged_bytes_limit,
            unacknowledged_bytes_peak: self.unacknowledged_bytes_peak.load(Ordering::Relaxed),
            reconnect_count: transfers.reconnect_count,
            ongoing_outage: transfers.outage.ongoing_outage(),
            last_error: transfers.last_error.clone(),
        }
    }
}

/// A handle to the statistics of a writer. It remains valid after the writer has ended.
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

    /// Returns the freshness of all rows written so far.
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
