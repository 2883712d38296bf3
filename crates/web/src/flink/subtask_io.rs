//! Computes what a subtask or a vertex read and wrote, and for how long it was busy, idle or back-pressured.
//! Back-pressured means that it waited for Redis.

use serde_json::{Value, json};

use super::subtask::{Subtask, SubtaskWork};
use crate::report::{InstanceReport, WorkerReport};

/// The counts and times of a subtask or a vertex: totals since the start, and recent values per second.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct SubtaskIo {
    pub(super) records_read: u64,
    pub(super) records_written: u64,
    pub(super) records_read_per_s: f64,
    pub(super) records_written_per_s: f64,
    /// The number of bytes read; `None` if the subtask does not count bytes.
    pub(super) bytes_read: Option<u64>,
    pub(super) busy_ms: u64,
    pub(super) idle_ms: u64,
    pub(super) backpressured_ms: u64,
    /// The time for which the subtask is busy, in milliseconds per second.
    pub(super) busy_ms_per_s: f64,
    /// The time for which the subtask is idle, in milliseconds per second.
    pub(super) idle_ms_per_s: f64,
    /// The time for which the subtask waits for Redis, in milliseconds per second.
    pub(super) backpressured_ms_per_s: f64,
}

impl SubtaskIo {
    pub(super) fn from_subtask(subtask: &Subtask<'_>) -> Self {
        let Some(instance) = subtask.instance else { return Self::default() };
        let mut io = Self::default();
        match &subtask.work {
            SubtaskWork::Partition(owned) => {
                let owned = owned.cloned().unwrap_or_default();
                (io.records_read, io.records_read_per_s) = (owned.records_read, owned.records_read_per_s);
                (io.records_written, io.records_written_per_s) = (owned.records_read, owned.records_read_per_s);
            }
            SubtaskWork::Worker { report, .. } => {
                (io.records_read, io.records_read_per_s, io.bytes_read) =
                    (report.records_read, report.records_read_per_s, Some(report.bytes_read));
                (io.records_written, io.records_written_per_s) =
                    (report.decoded_event_count(), report.records_read_per_s);
            }
            SubtaskWork::View(view) => {
                io.records_read = instance.workers.iter().map(WorkerReport::decoded_event_count).sum();
                io.records_read_per_s = instance.workers.iter().map(|worker| worker.records_read_per_s).sum();
                if let Some(view) = view {
                    (io.records_written, io.records_written_per_s) = (view.rows_fired, view.rows_fired_per_s);
                }
            }
            SubtaskWork::Sink => {
                io.records_read = instance.views.iter().map(|view| view.rows_fired).sum();
                io.records_read_per_s = instance.views.iter().map(|view| view.rows_fired_per_s).sum();
                (io.records_written, io.records_written_per_s) =
                    (instance.redis_writer.rows_written, instance.redis_writer.rows_written_per_s);
                return io.add_redis_writer_times(instance);
            }
        }
        io.add_worker_times(&subtask.executing_workers())
    }

    /// Adds the busy, idle and back-pressured times of `workers`, which are the workers that execute the subtask. A
    /// worker thread runs all vertices except the sink. Each of these vertices shows the times of the whole thread, as
    /// Flink's chained operators do.
    fn add_worker_times(mut self, workers: &[&WorkerReport]) -> Self {
        let count = workers.len().max(1) as f64;
        for worker in workers {
            self.busy_ms += worker.busy_ms;
            self.idle_ms += worker.idle_ms;
            self.backpressured_ms += worker.backpressured_ms;
            self.busy_ms_per_s += worker.busy_ms_per_s / count;
            self.idle_ms_per_s += worker.idle_ms_per_s / count;
            self.backpressured_ms_per_s += worker.backpressured_ms_per_s / count;
        }
        self
    }

    /// Adds the busy and idle times of the instance's Redis writer. The Redis writer is busy during a transaction with
    /// Redis, and otherwise idle. The busy time per second is an estimate: the mean time to write a row, multiplied by
    /// the number of rows written per second.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
    fn add_redis_writer_times(mut self, instance: &InstanceReport) -> Self {
        let redis = &instance.redis_writer;
        let busy_ms = (redis.total_transaction_s * 1e3).max(0.0);
        let uptime_ms = (instance.reported_at_ms - instance.started_at_ms).max(0) as f64;
        (self.busy_ms, self.idle_ms) = (busy_ms as u64, (uptime_ms - busy_ms).max(0.0) as u64);
        let ms_per_row = if redis.rows_written == 0 { 0.0 } else { busy_ms / redis.rows_written as f64 };
        self.busy_ms_per_s = (ms_per_row * redis.rows_written_per_s).clamp(0.0, 1e3);
        self.idle_ms_per_s = 1e3 - self.busy_ms_per_s;
        self
    }

    /// Returns the counts and times of a vertex that consists of `subtasks`. Adds up the counts, the rates and the
    /// total times of the subtasks. Averages the times per second.
    pub(super) fn sum_subtasks(subtasks: &[Self]) -> Self {
        let mut sum = Self::default();
        let count = subtasks.len().max(1) as f64;
        for io in subtasks {
            sum.records_read += io.records_read;
            sum.records_written += io.records_written;
            sum.records_read_per_s += io.records_read_per_s;
            sum.records_written_per_s += io.records_written_per_s;
            sum.bytes_read = [sum.bytes_read, io.bytes_read].into_iter().flatten().reduce(|a, b| a + b);
            sum.busy_ms += io.busy_ms;
            sum.idle_ms += io.idle_ms;
            sum.backpressured_ms += io.backpressured_ms;
            sum.busy_ms_per_s += io.busy_ms_per_s / count;
            sum.idle_ms_per_s += io.idle_ms_per_s / count;
            sum.backpressured_ms_per_s += io.backpressured_ms_per_s / count;
        }
        sum
    }

    /// Renders the totals under Flink's names. If a number of bytes is unknown, it is rendered as 0, and the field that
    /// tells whether the number is complete is false.
    pub(super) fn to_json(self) -> Value {
        json!({
            "read-bytes": self.bytes_read.unwrap_or_default(), "read-bytes-complete": self.bytes_read.is_some(),
            "write-bytes": 0, "write-bytes-complete": false,
            "read-records": self.records_read, "read-records-complete": true,
            "write-records": self.records_written, "write-records-complete": true,
            "accumulated-backpressured-time": self.backpressured_ms,
            "accumulated-idle-time": self.idle_ms,
            "accumulated-busy-time": self.busy_ms,
        })
    }
}
