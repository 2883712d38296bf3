//! Metrics of the delay from a record to the row in Redis that this record caused.

use super::families::MetricFamilies;
use crate::report::FreshnessReport;

pub(super) fn add_freshness_metrics(families: &mut MetricFamilies, freshness: &FreshnessReport) {
    families.add_histogram(
        "windrow_freshness_event_time_seconds",
        "For each row, the time from the event time of the record that made its window fire until the row was in Redis.",
        &freshness.delay_since_event_time,
    );
    families.add_histogram(
        "windrow_freshness_kafka_append_seconds",
        "For each row, the time from Kafka's timestamp of the record that made its window fire until the row was in Redis.",
        &freshness.delay_since_kafka_timestamp,
    );
}
