//! The metrics that a worker publishes: records read, rows written, records dropped and why, and time spent.
//!
//! Owns: counters, the newest rare events, the status of partitions. Does not own: rates, and the pages that show
//! metrics.
//! Invariants: (1) Each [`WorkerMetrics`] has one writer and any number of readers. (2) Counters only grow while the
//! process lives. (3) Processing a record only increments counters. A lock is taken only for rare events and once per
//! flush.
//! After a crash, all metrics start at zero.

mod checkpoint_metrics;
mod counter;
mod histogram;
mod partition_status;
mod recent_events;
mod worker_metrics;
mod worker_time_use;

pub use checkpoint_metrics::{CheckpointMetrics, CheckpointRecord, CheckpointState, RestoreRecord};
pub use counter::Counter;
pub use histogram::{Histogram, HistogramCounts};
pub use partition_status::{PartitionStatus, PartitionStatuses};
pub use recent_events::{
    DeadLetterRecord, LateEventRecord, RecentEvents, TimelineMark, TimelineMarkKind, TruncatedBytes,
};
pub(crate) use recent_events::{LateArrival, RecordingBudget};
pub use worker_metrics::{ViewMetrics, WorkerMetrics};
pub use worker_time_use::WorkerTimeUse;
