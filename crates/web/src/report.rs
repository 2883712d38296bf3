//! The report that an instance publishes about itself. Pages, REST answers and metrics are made from reports only.
//!
//! Owns: the names and units of the JSON that instances exchange and pages read. Where a Rust field says more than its
//! JSON name, `serde(rename)` keeps the JSON name.
//! Does not own: measuring (engine and connectors), publishing (`peers`), totals over instances (`job`).
//! Invariant: every field has a default, and unknown fields are ignored. Instances of two versions can therefore read
//! each other's reports.
//! After a crash: the last report stays in the checkpoint store until another instance deletes it.
//!
//! A name that ends in `at_ms` is a wall-clock time in epoch milliseconds. Event times and watermarks are epoch
//! milliseconds of the events' own clock.

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
pub use freshness::{DelayHistogramReport, FreshnessReport};
pub use history::{ChartMark, HistorySample};
pub use instance::{InstanceReport, InstanceState};
pub use partition::PartitionReport;
pub use problem::{DeadLetterReport, LateEventReport, LoggedProblemReport, RecordExcerpt};
pub use reachability::ReachabilityReport;
pub use redis::RedisWriterReport;
pub use savepoint::SavepointReport;
pub use view::ViewReport;
pub use worker::WorkerReport;
