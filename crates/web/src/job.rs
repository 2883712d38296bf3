//! The whole job, assembled from the reports of its instances.
//!
//! Owns: adding up reports. Does not own: getting them (`peers`), the JSON of any page.
//! Invariants: (1) a [`JobReport`] and all that follows from it depend on the reports alone; (2) a partition counts once: of
//! two owners, the one with the larger epoch.
//! After a crash: nothing survives or needs to.

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
pub use checkpoints::LastCheckpoint;
pub use freshness::FreshnessQuantiles;
pub use history::JobHistory;
pub use job_report::{JobReport, ReportedItem, job_id};
pub use partitions::{PartitionOwner, PartitionOwnership};
pub use state::JobState;
pub use totals::{JobPace, JobTotals};
