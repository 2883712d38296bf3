//! The report that an instance publishes about itself. Pages, REST answers and metrics are made from reports only.
//!
//! Owns: the names and units of the JSON that instances exchange and pages read. If a Rust field has a longer name than
//! its JSON field, `serde(rename)` keeps the JSON name. Does not own: measuring (engine and connectors), publishing
//! (`peers`), totals over instances (`job`).
//! Invariant: every field has a default, and unknown fields are ignored. Instances of different Windrow versions can
//! therefore read each other's reports.
//! After a crash: the last report of the instance stays in the checkpoint store until another instance deletes it.
//!
//! A field whose name ends in `at_ms` holds a time of the instance's wall clock, in epoch milliseconds. Event times and
//! watermarks are also in epoch milliseconds, but derive from the times in events.

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
pub use problem::{
    DeadLetterReport, InputProblemReport, LateEventReport, LoggedProblemReport, MissingRowsReport,
    ParkedPartitionReport, RecordExcerpt, ReportedProblemKind,
};
pub use reachability::ReachabilityReport;
pub use redis::RedisWriterReport;
pub use savepoint::RequestedSavepointReport;
pub use view::{FeatureOverflowReport, IncompleteFeatureReport, ViewReport};
pub use worker::WorkerReport;
