//! Whether the job can reach Kafka, Redis and the checkpoint store, computed from the reports of all instances.

use super::job_report::JobReport;
use crate::report::{InstanceReport, ReachabilityReport};

impl JobReport {
    /// Returns the longest current outage of Kafka that an instance reports. If no instance reports an outage, returns
    /// a report that Kafka is reachable.
    #[must_use]
    pub fn kafka_reachability(&self) -> ReachabilityReport {
        self.longest_unreachable(|instance| &instance.kafka_reachability)
    }

    /// Returns the longest current outage of Redis that an instance reports. If no instance reports an outage, returns
    /// a report that Redis is reachable.
    #[must_use]
    pub fn redis_reachability(&self) -> ReachabilityReport {
        self.longest_unreachable(|instance| &instance.redis_writer.reachability)
    }

    /// Returns the longest current outage of the checkpoint store that an instance reports. If no instance reports an
    /// outage, returns a report that the store is reachable.
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
