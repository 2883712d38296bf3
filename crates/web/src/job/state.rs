//! The overall state of a job, computed from the reports of all instances.

use serde::Serialize;

use super::job_report::JobReport;
use crate::report::InstanceState;

/// The overall state of a job.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// No instance is running yet.
    Starting,
    /// All partitions have an owner, and Kafka, Redis and the checkpoint store are reachable.
    Running,
    /// All instances are stopping.
    Stopping,
    /// An instance is running, but a partition has no owner or is parked, or Kafka, Redis or the checkpoint store is unreachable.
    Degraded,
}

impl JobReport {
    /// Returns the overall state of the job.
    #[must_use]
    pub fn compute_job_state(&self) -> JobState {
        if self.instances.iter().all(|instance| instance.state == InstanceState::Stopping) {
            return JobState::Stopping;
        }
        if !self.instances.iter().any(|instance| instance.state == InstanceState::Running) {
            return JobState::Starting;
        }
        let dependencies = [self.kafka_reachability(), self.redis_reachability(), self.checkpoint_store_reachability()];
        let is_degraded = dependencies.iter().any(|dependency| dependency.is_unreachable())
            || self.partitions_and_owners().iter().any(|partition| partition.owner.is_none());
        if is_degraded { JobState::Degraded } else { JobState::Running }
    }
}
