//! The state of the whole job, computed from the reports of its instances.
//!
//! Owns: the sums and maxima over all reports. Does not own: reading the other instances' reports (`peers`), the JSON
//! of the pages (`api`).
//! Invariants: (1) All values are computed from the reports alone. (2) Each partition is counted once. If two instances
//! report that they own the same partition, only the report with the larger epoch is used.
//! After a crash: no state survives, and none is needed.

mod attention;
mod checkpoints;
mod freshness;
mod history;
pub(crate) mod job_report;
mod partitions;
mod reachability;
mod state;
pub(crate) mod thresholds;
mod totals;
mod views;

pub use attention::{AttentionItem, AttentionLevel};
pub use checkpoints::NewestCheckpointsSummary;
pub use freshness::FreshnessQuantiles;
pub use history::JobHistory;
pub use job_report::{JobReport, ReportedItem, compute_job_id};
pub use partitions::{PartitionAndOwner, PartitionOwner};
pub use state::JobState;
pub use totals::{JobPace, JobTotals};
