//! What the writer records about itself while it works.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use windrow_engine::{Clock, SystemClock};

use super::freshness::RowFreshness;
use super::recent_rows::RecentRows;
use super::status::RedisWriterStatus;
use crate::outage::{OutageNotice, OutageTracker};
use crate::redis::rows::batch::InFlightBatch;

/// How many rows of an in-flight batch were written, and which were not.
#[derive(Debug)]
pub(crate) struct BatchResult {
    /// Positions of refused rows, ascending.
    pub(crate) refused_rows: Vec<usize>,
    /// Rows dropped because their partition was lost.
    pub(crate) dropped_rows: usize,
    /// How long the transaction took.
    pub(crate) duration: Duration,
}

/// Counters, freshness and recent rows of one writer. The writer thread writes them, observers read them.
pub(crate) struct WriterStatistics {
    clock: SystemClock,
    freshness: RowFreshness,
    recent_rows: RecentRows,
    waiting_bytes: AtomicUsize,
    waiting_bytes_peak: AtomicUsize,
    waiting_bytes_limit: usize,
    transfers: Mutex<TransferStatistics>,
}

#[derive(Default)]
struct TransferStatistics {
    rows_written: u64,
    transactions: u64,
    transaction_time: Duration,
    rows_refused: u64,
    rows_dropped: u64,
    reconnects: u64,
    outage: OutageTracker,
    last_error: Option<String>,
}

impl WriterStatistics {
    pub(crate) fn new(waiting_bytes_limit: usize) -> Self {
        Self {
            clock: SystemClock::start(),
            freshness: RowFreshness::default(),
            recent_rows: RecentRows::default(),
            waiting_bytes: AtomicUsize::default(),
            waiting_bytes_peak: AtomicUsize::default(),
            waiting_bytes_limit,
            transfers: Mutex::default(),
        }
    }

    /// Records how many bytes of rows are queued or in flight now.
    pub(crate) fn set_waiting_bytes(&self, bytes: usize) {
        self.waiting_bytes.store(bytes, Ordering::Release);
        self.waiting_bytes_peak.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Records what became of `batch`, and keeps its rows for pages unless some were dropped.
    pub(crate) fn record_batch(&self, batch: InFlightBatch, result: &BatchResult) {
        let BatchResult { refused_rows, dropped_rows, duration } = result;
        let written = batch.row_count() - refused_rows.len() - dropped_rows;
        {
            let mut transfers = self.transfers.lock();
            transfers.rows_written += written as u64;
            transfers.rows_refused += refused_rows.len() as u64;
            transfers.rows_dropped += *dropped_rows as u64;
            if written > 0 {
                transfers.transactions += 1;
                transfers.transaction_time += *duration;
            }
        }
        if *dropped_rows == 0 {
            let now_ms = self.clock.wall_now_ms();
            self.freshness.observe_batch(&batch, refused_rows, now_ms);
            self.recent_rows.keep_batch(batch, refused_rows, now_ms);
        }
    }

    /// Records that Redis did not answer or did not take rows. Returns the log line that is due.
    pub(crate) fn record_failure(&self, reason: &str) -> Option<OutageNotice> {
        let mut transfers = self.transfers.lock();
        transfers.last_error = Some(reason.to_owned());
        transfers.outage.record_failure(reason)
    }

    /// Records that Redis answered. Returns how long the outage that this ends has lasted.
    pub(crate) fn record_success(&self) -> Option<Duration> {
        self.transfers.lock().outage.record_success()
    }

    /// Records a connection after the first.
    pub(crate) fn record_reconnect(&self) {
        self.transfers.lock().reconnects += 1;
    }

    pub(crate) fn status(&self) -> RedisWriterStatus {
        let transfers = self.transfers.lock();
        RedisWriterStatus {
            rows_written: transfers.rows_written,
            transactions: transfers.transactions,
            transaction_time: transfers.transaction_time,
            rows_refused: transfers.rows_refused,
            rows_dropped: transfers.rows_dropped,
            waiting_bytes: self.waiting_bytes.load(Ordering::Acquire),
            waiting_bytes_limit: self.waiting_bytes_limit,
            waiting_bytes_peak: self.waiting_bytes_peak.load(Ordering::Relaxed),
            reconnects: transfers.reconnects,
            outage: transfers.outage.outage(),
            last_error: transfers.last_error.clone(),
        }
    }
}

/// A view of what a writer records. It outlives the writer.
#[derive(Clone)]
pub struct RedisWriterObserver(Arc<WriterStatistics>);

impl RedisWriterObserver {
    pub(crate) fn new(statistics: Arc<WriterStatistics>) -> Self {
        Self(statistics)
    }

    /// Returns the counters now.
    #[must_use]
    pub fn status(&self) -> RedisWriterStatus {
        self.0.status()
    }

    /// Returns how fresh rows were when they were written.
    #[must_use]
    pub fn freshness(&self) -> &RowFreshness {
        &self.0.freshness
    }

    /// Returns the newest written rows.
    #[must_use]
    pub fn recent_rows(&self) -> RecentRows {
        self.0.recent_rows.clone()
    }
}
