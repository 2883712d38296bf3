//! Aggregates the reachability of the dependencies over all instances.

use super::job_report::JobReport;
use crate::report::{InstanceReport, ReachabilityReport};

impl JobReport {
    /// Returns the reachability of Kafka. If the instances disagree, the longest outage counts.
    #[must_use]
    pub fn kafka_reachability(&self) -> ReachabilityReport {
        self.longest_unreachable(|instance| &instance.kafka)
    }

    /// Returns the reachability of Redis. If the instances disagree, the longest outage counts.
    #[must_use]
    pub fn redis_reachability(&self) -> ReachabilityReport {
        self.longest_unreachable(|instance| &instance.redis.reach)
    }

    /// Returns the reachability of the checkpoint store. If the instances disagree, the longest outage counts.
    #[must_use]
    pub fn checkpoint_store_reachability(&self) -> ReachabilityReport {
        self.longest_unreachable(|instance| &instance.checkpoint_store)
    }

    /// Returns the report of the instance that has been unable to reach the dependency for the longest time.
    fn longest_unreachable(&self, select: impl Fn(&InstanceReport) -> &ReachabilityReport) -> ReachabilityReport {
        let unreachable = self.instances.iter().map(select).filter(|dependency| dependency.is_unreachable());
        unreachable.min_by_key(|dependency| dependency.away_since_ms).cloned().unwrap_or_default()
    }
}
