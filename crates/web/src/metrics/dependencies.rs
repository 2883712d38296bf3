//! Metrics of Kafka, Redis and the checkpoint store: whether each is reachable, and for how long each has been
//! unreachable.

use super::families::{MetricFamilies, MetricSample, ms_as_seconds};
use crate::report::{InstanceReport, ReachabilityReport};

pub(super) fn add_dependency_metrics(families: &mut MetricFamilies, report: &InstanceReport) {
    families.add_gauge(
        "windrow_dependency_up",
        "1 while the instance can use Kafka, Redis or the checkpoint store, 0 while that is unreachable.",
        samples_by_dependency(report, |reach| u64::from(reach.unreachable_since_ms.is_none())),
    );
    families.add_gauge(
        "windrow_dependency_away_seconds",
        "How long Kafka, Redis or the checkpoint store has been unreachable; 0 while it is reachable.",
        samples_by_dependency(report, |reach| {
            reach.unreachable_since_ms.map_or(0.0, |since| ms_as_seconds((report.reported_at_ms - since).max(0)))
        }),
    );
}

fn samples_by_dependency<V>(report: &InstanceReport, value: impl Fn(&ReachabilityReport) -> V) -> [MetricSample<V>; 3] {
    [
        ("kafka", &report.kafka_reachability),
        ("redis", &report.redis_writer.reachability),
        ("checkpoint_store", &report.checkpoint_store_reachability),
    ]
    .map(|(name, reach)| MetricSample::new([("dependency", name.to_owned())], value(reach)))
}
