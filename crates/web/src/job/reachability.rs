//! Whether the dependencies are reachable from all instances.

use super::job_report::JobReport;
use crate::report::{InstanceReport, ReachabilityReport};

impl JobReport {
    /// Returns whether all instances reach Kafka.
    #[must_use]
    pub fn kafka_reachability(&self) -> ReachabilityReport {
        self.longest_absence(|instance| &instance.kafka)
    }

    /// Returns whether all instances reach Redis.
    #[must_use]
    pub fn redis_reachability(&self) -> ReachabilityReport {
        self.longest_absence(|instance| &instance.redis.reach)
    }

    /// Returns whether all instances reach the checkpoint store.
    #[must_use]
    pub fn checkpoint_store_reachability(&self) -> ReachabilityReport {
        self.longest_absence(|instance| &instance.checkpoint_store)
    }

    /// Returns the report of the instance for which the dependency has been unreachable longest.
    fn longest_absence(&self, select: impl Fn(&InstanceReport) -> &ReachabilityReport) -> ReachabilityReport {
        let unreachable = self.instances.iter().map(select).filter(|dependency| dependency.is_unreachable());
        unreachable.min_by_key(|dependency| dependency.away_since_ms).cloned().unwrap_or_default()
    }
}
