//! Whether the job can reach Kafka, Redis and the checkpoint store, computed from the reports of all instances.

use super::job_report::JobReport;
use crate::report::{InstanceReport, ReachabilityReport};

impl JobReport {
    /// Returns whether Kafka is reachable. If several instances report an outage of Kafka, returns the longest outage.
    #[must_use]
    pub fn kafka_reachability(&self) -> ReachabilityReport {
        self.longest_unreachable(|instance| &instance.kafka_reachability)
    }

    /// Returns whether Redis is reachable. If several instances report an outage of Redis, returns the longest outage.
    #[must_use]
    pub fn redis_reachability(&self) -> ReachabilityReport {
        self.longest_unreachable(|instance| &instance.redis_writer.reachability)
    }

    /// Returns whether the checkpoint store is reachable. If several instances report an outage of the store, returns
    /// the longest outage.
    #[must_use]
    pub fn checkpoint_store_reachability(&self) -> ReachabilityReport {
        self.longest_unreachable(|instance| &instance.checkpoint_store_reachability)
    }

    /// Returns the reported outage that began first. If no instance reports an outage, returns the default report,
    /// which means reachable.
    fn longest_unreachable(&self, select: impl Fn(&InstanceReport) -> &ReachabilityReport) -> ReachabilityReport {
        let unreachable = self.instances.iter().map(select).filter(|dependency| dependency.is_unreachable());
        unreachable.min_by_key(|dependency| dependency.unreachable_since_ms).cloned().unwrap_or_default()
    }
}
