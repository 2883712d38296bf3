//! What a job is doing.

use serde::Serialize;

use super::job_report::JobReport;
use crate::report::InstanceState;

/// What a job is doing.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// No instance is running yet.
    Starting,
    /// All partitions have an owner, and all dependencies are reachable.
    Running,
    /// All instances are stopping.
    Stopping,
    /// It is running, but partitions have no owner, or a dependency is unreachable.
    Degraded,
}

impl JobReport {
    /// Returns what the job is doing.
    #[must_use]
    pub fn state(&self) -> JobState {
        if self.instances.iter().all(|instance| instance.state == InstanceState::Stopping) {
            return JobState::Stopping;
        }
        if !self.instances.iter().any(|instance| instance.state == InstanceState::Running) {
            return JobState::Starting;
        }
        let dependencies = [self.kafka_reachability(), self.redis_reachability(), self.checkpoint_store_reachability()];
        let is_degraded = dependencies.iter().any(|dependency| dependency.is_unreachable())
            || self.partitions().iter().any(|partition| partition.owner.is_none());
        if is_degraded { JobState::Degraded } else { JobState::Running }
    }
}
