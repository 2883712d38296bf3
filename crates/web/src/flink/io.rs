//! What a subtask, or a vertex, read and wrote, and how its time went.

use serde_json::{Value, json};

use super::stage::{Subtask, SubtaskWork};
use crate::report::{InstanceReport, WorkerReport};

/// Since the start, and per second lately.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct SubtaskIo {
    pub(super) read: u64,
    pub(super) written: u64,
    pub(super) read_per_s: f64,
    pub(super) written_per_s: f64,
    /// Bytes read, where they are counted.
    pub(super) bytes_read: Option<u64>,
    pub(super) busy_ms: u64,
    pub(super) idle_ms: u64,
    pub(super) backpressured_ms: u64,
    pub(super) busy_per_s: f64,
    pub(super) idle_per_s: f64,
    pub(super) backpressured_per_s: f64,
}

impl SubtaskIo {
    pub(super) fn from_subtask(subtask: &Subtask<'_>) -> Self {
        let Some(one) = subtask.instance else { return Self::default() };
        let mut io = Self::default();
        match &subtask.work {
            SubtaskWork::Partition(owned) => {
                let owned = owned.cloned().unwrap_or_default();
                (io.read, io.read_per_s) = (owned.records, owned.records_per_s);
                (io.written, io.written_per_s) = (owned.records, owned.records_per_s);
            }
            SubtaskWork::Worker(_, worker) => {
                (io.read, io.read_per_s, io.bytes_read) = (worker.records, worker.records_per_s, Some(worker.bytes));
                (io.written, io.written_per_s) = (count_events(worker), worker.records_per_s);
            }
            SubtaskWork::View(view) => {
                io.read = one.workers.iter().map(count_events).sum();
                io.read_per_s = one.workers.iter().map(|worker| worker.records_per_s).sum();
                if let Some(view) = view {
                    (io.written, io.written_per_s) = (view.rows, view.rows_per_s);
                }
            }
            SubtaskWork::Sink => {
                io.read = one.views.iter().map(|view| view.rows).sum();
                io.read_per_s = one.views.iter().map(|view| view.rows_per_s).sum();
                (io.written, io.written_per_s) = (one.redis.rows_written, one.redis.rows_per_s);
                return io.with_writer_times(one);
            }
        }
        io.with_worker_times(&subtask.workers())
    }

    /// One thread does all stages but the last one; each of them shows its time, as chained operators of Flink do.
    #[allow(clippy::cast_precision_loss)] // a number of threads
    fn with_worker_times(mut self, workers: &[&WorkerReport]) -> Self {
        let count = workers.len().max(1);
        for worker in workers {
            self.busy_ms += worker.busy_ms;
            self.idle_ms += worker.idle_ms;
            self.backpressured_ms += worker.backpressured_ms;
            self.busy_per_s += worker.busy_ms_per_s / count as f64;
            self.idle_per_s += worker.idle_ms_per_s / count as f64;
            self.backpressured_per_s += worker.backpressured_ms_per_s / count as f64;
        }
        self
    }

    /// The writer to Redis is busy while a transaction runs. Lately: the typical cost of a row times rows.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of time
    fn with_writer_times(mut self, one: &InstanceReport) -> Self {
        let redis = &one.redis;
        let busy = (redis.transaction_seconds * 1e3).max(0.0);
        let up = (one.reported_at_ms - one.started_at_ms).max(0) as f64;
        (self.busy_ms, self.idle_ms) = (busy as u64, (up - busy).max(0.0) as u64);
        let per_row = if redis.rows_written == 0 { 0.0 } else { busy / redis.rows_written as f64 };
        self.busy_per_s = (per_row * redis.rows_per_s).clamp(0.0, 1e3);
        self.idle_per_s = 1e3 - self.busy_per_s;
        self
    }

    /// Of several subtasks: counts add up, times per second are the mean.
    #[allow(clippy::cast_precision_loss)] // a number of subtasks
    pub(super) fn sum(parts: &[Self]) -> Self {
        let mut sum = Self::default();
        let count = parts.len().max(1) as f64;
        for part in parts {
            sum.read += part.read;
            sum.written += part.written;
            sum.read_per_s += part.read_per_s;
            sum.written_per_s += part.written_per_s;
            sum.bytes_read = [sum.bytes_read, part.bytes_read].into_iter().flatten().reduce(|a, b| a + b);
            sum.busy_ms += part.busy_ms;
            sum.idle_ms += part.idle_ms;
            sum.backpressured_ms += part.backpressured_ms;
            sum.busy_per_s += part.busy_per_s / count;
            sum.idle_per_s += part.idle_per_s / count;
            sum.backpressured_per_s += part.backpressured_per_s / count;
        }
        sum
    }

    /// In Flink's words. Bytes that are not counted are 0 and, as Flink calls it, not complete.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "read-bytes": self.bytes_read.unwrap_or_default(), "read-bytes-complete": self.bytes_read.is_some(),
            "write-bytes": 0, "write-bytes-complete": false,
            "read-records": self.read, "read-records-complete": true,
            "write-records": self.written, "write-records-complete": true,
            "accumulated-backpressured-time": self.backpressured_ms,
            "accumulated-idle-time": self.idle_ms,
            "accumulated-busy-time": self.busy_ms,
        })
    }
}

fn count_events(worker: &WorkerReport) -> u64 {
    worker.records.saturating_sub(worker.dead_letters)
}
