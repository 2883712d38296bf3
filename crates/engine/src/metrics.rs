//! What a worker publishes while it runs: what came in, what went out, what was dropped and why, where the time went.
//!
//! Owns: counters, the newest of rare events, where partitions stand. Does not own: rates, and what pages show.
//! Invariants: (1) one writer per [`WorkerMetrics`], any number of readers; (2) counters only grow while the process
//! lives; (3) per record nothing is done but counting: what takes a lock is rare, or as rare as flushing. After a crash
//! all start at zero.

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
