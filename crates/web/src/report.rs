//! The reports in which an instance describes itself. Pages, REST and metrics show nothing else of an instance.
//!
//! Owns: the names and units of the JSON that instances exchange and pages read.
//! Does not own: measuring (the engine, the connectors), publishing (`peers`), totals over instances (`job`).
//! Invariant: every field has a default and unknown fields are ignored, so instances of two versions can read each
//! other's reports.
//! After a crash: the last report stays in the checkpoint store until another instance deletes it.
//!
//! Times are wall-clock times in epoch milliseconds, unless they are called event time or watermark. Rates are per
//! second.

mod checkpoint;
mod freshness;
mod history;
mod instance;
mod partition;
mod problem;
mod reachability;
mod redis;
mod savepoint;
mod view;
mod worker;

pub use checkpoint::{CheckpointCounts, CheckpointReport, CheckpointStatus, RestoreReport};
pub use freshness::{FreshnessReport, HistogramReport};
pub use history::{ChartMark, HistorySample};
pub use instance::{InstanceReport, InstanceState};
pub use partition::PartitionReport;
pub use problem::{DeadLetterReport, ExceptionReport, LateEventReport, RecordExcerpt};
pub use reachability::ReachabilityReport;
pub use redis::RedisReport;
pub use savepoint::SavepointReport;
pub use view::ViewReport;
pub use worker::WorkerReport;
