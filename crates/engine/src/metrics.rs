//! The metrics that a worker publishes about its records, rows, checkpoints and partitions, and about its use of time.
//!
//! Owns: counters, the lists of the newest late events, dead letters and checkpoints, the status of partitions. Does
//! not own: rates, and the pages that show metrics.
//! Invariants: (1) Only one worker writes a [`WorkerMetrics`], and any thread may read it. (2) Counters only grow while
//! the process lives. (3) For most records, the worker only increments counters. The worker locks a mutex only to
//! change a list, and at most once per flush to publish the status of its partitions.
//! When the process starts again, all metrics start at zero.

mod checkpoint_metrics;
mod counter;
mod histogram;
mod missing_rows;
mod parked_partitions;
mod partition_status;
mod recent_events;
mod worker_metrics;
mod worker_time_use;

pub use checkpoint_metrics::{CheckpointMetrics, CheckpointRecord, CheckpointState, RestoreRecord};
pub use counter::Counter;
pub use histogram::{Histogram, HistogramCounts};
pub use missing_rows::{MissingRowsMetrics, MissingRowsRecord};
pub use parked_partitions::{ParkedPartition, ParkedPartitions};
pub use partition_status::{PartitionStatus, PartitionStatuses};
pub use recent_events::{
    DeadLetterRecord, InputProblem, InputProblemKind, LateEventRecord, RecentEvents, TimelineMark, TimelineMarkKind,
    TruncatedBytes,
};
pub(crate) use recent_events::{LateArrival, RecordingBudget};
pub use worker_metrics::{FeatureOverflowCounts, ViewMetrics, WorkerMetrics};
pub use worker_time_use::WorkerTimeUse;
