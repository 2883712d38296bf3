//! What a subtask, or a vertex, read and wrote, and how it spent its time.

use serde_json::{Value, json};

use super::subtask::{Subtask, SubtaskWork};
use crate::report::{InstanceReport, WorkerReport};

/// Counts since the start, and recent rates per second.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct SubtaskIo {
    pub(super) read: u64,
    pub(super) written: u64,
    pub(super) read_per_s: f64,
    pub(super) written_per_s: f64,
    /// Bytes read, if they are counted.
    pub(super) bytes_read: Option<u64>,
    pub(super) busy_ms: u64,
    pub(super) idle_ms: u64,
    pub(super) backpressured_ms: u64,
    /// Milliseconds per second.
    pub(super) busy_per_s: f64,
    /// Milliseconds per second.
    pub(super) idle_per_s: f64,
    /// Milliseconds per second.
    pub(super) backpressured_per_s: f64,
}

impl SubtaskIo {
    pub(super) fn from_subtask(subtask: &Subtask<'_>) -> Self {
        let Some(instance) = subtask.instance else { return Self::default() };
        let mut io = Self::default();
        match &subtask.work {
            SubtaskWork::Partition(owned) => {
                let owned = owned.cloned().unwrap_or_default();
                (io.read, io.read_per_s) = (owned.records, owned.records_per_s);
                (io.written, io.written_per_s) = (owned.records, owned.records_per_s);
            }
            SubtaskWork::Worker { report, .. } => {
                (io.read, io.read_per_s, io.bytes_read) = (report.records, report.records_per_s, Some(report.bytes));
                (io.written, io.written_per_s) = (report.events(), report.records_per_s);
            }
            SubtaskWork::View(view) => {
                io.read = instance.workers.iter().map(WorkerReport::events).sum();
                io.read_per_s = instance.workers.iter().map(|worker| worker.records_per_s).sum();
                if let Some(view) = view {
                    (io.written, io.written_per_s) = (view.rows, view.rows_per_s);
                }
            }
            SubtaskWork::Sink => {
                io.read = instance.views.iter().map(|view| view.rows).sum();
                io.read_per_s = instance.views.iter().map(|view| view.rows_per_s).sum();
                (io.written, io.written_per_s) = (instance.redis.rows_written, instance.redis.rows_per_s);
                return io.with_writer_times(instance);
            }
        }
        io.with_worker_times(&subtask.workers())
    }

    /// Adds the time of the workers. One thread does all vertices but the sink, and each of them shows the thread's time, as
    /// chained operators of Flink do.
    #[allow(clippy::cast_precision_loss)] // a number of threads
    fn with_worker_times(mut self, workers: &[&WorkerReport]) -> Self {
        let count = workers.len().max(1) as f64;
        for worker in workers {
            self.busy_ms += worker.busy_ms;
            self.idle_ms += worker.idle_ms;
            self.backpressured_ms += worker.backpressured_ms;
            self.busy_per_s += worker.busy_ms_per_s / count;
            self.idle_per_s += worker.idle_ms_per_s / count;
            self.backpressured_per_s += worker.backpressured_ms_per_s / count;
        }
        self
    }

    /// Adds the time of the writer to Redis, which is busy during transactions. The recent rate is the mean time per row, times
    /// the recent rows per second.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of time
    fn with_writer_times(mut self, instance: &InstanceReport) -> Self {
        let redis = &instance.redis;
        let busy_ms = (redis.transaction_seconds * 1e3).max(0.0);
        let uptime_ms = (instance.reported_at_ms - instance.started_at_ms).max(0) as f64;
        (self.busy_ms, self.idle_ms) = (busy_ms as u64, (uptime_ms - busy_ms).max(0.0) as u64);
        let ms_per_row = if redis.rows_written == 0 { 0.0 } else { busy_ms / redis.rows_written as f64 };
        self.busy_per_s = (ms_per_row * redis.rows_per_s).clamp(0.0, 1e3);
        self.idle_per_s = 1e3 - self.busy_per_s;
        self
    }

    /// Returns the sum of counts and the mean of times per second.
    #[allow(clippy::cast_precision_loss)] // a number of subtasks
    pub(super) fn sum(subtasks: &[Self]) -> Self {
        let mut sum = Self::default();
        let count = subtasks.len().max(1) as f64;
        for io in subtasks {
            sum.read += io.read;
            sum.written += io.written;
            sum.read_per_s += io.read_per_s;
            sum.written_per_s += io.written_per_s;
            sum.bytes_read = [sum.bytes_read, io.bytes_read].into_iter().flatten().reduce(|a, b| a + b);
            sum.busy_ms += io.busy_ms;
            sum.idle_ms += io.idle_ms;
            sum.backpressured_ms += io.backpressured_ms;
            sum.busy_per_s += io.busy_per_s / count;
            sum.idle_per_s += io.idle_per_s / count;
            sum.backpressured_per_s += io.backpressured_per_s / count;
        }
        sum
    }

    /// Renders the counts in Flink's names. Bytes that are not counted are 0, and marked as not complete.
    pub(super) fn to_json(self) -> Value {
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
