//! Metrics of each partition that this instance owns or has parked.

use super::families::{MetricFamilies, MetricSample, count_as_f64, ms_as_seconds};
use crate::report::{InstanceReport, PartitionReport};

pub(super) fn add_partition_metrics(
    families: &mut MetricFamilies,
    report: &InstanceReport,
    owned: &[&PartitionReport],
) {
    let InstanceReport { topic_partition_count: topic_partitions, parked_partitions: parked, .. } = report;
    families.add_gauge(
        "windrow_topic_partitions",
        "Partitions of the topic, with or without an owner.",
        [(*topic_partitions).into()],
    );
    families.add_gauge(
        "windrow_partition_owned",
        "1 for each partition that the instance owns; the label worker holds the number of its thread.",
        owned.iter().map(|one| {
            MetricSample::new(
                [("partition", one.partition.to_string()), ("worker", one.worker_index.to_string())],
                1u64,
            )
        }),
    );
    families.add_gauge(
        "windrow_partition_parked",
        "1 for each partition that the instance has parked because of a fault and does not read; its log and pages name \
         the fault.",
        parked.iter().map(|one| MetricSample::new([("partition", one.partition.to_string())], 1u64)),
    );
    families.add_gauge(
        "windrow_partition_epoch",
        "The epoch under which the partition is owned; of two owners, the one with the larger epoch is right.",
        samples_by_partition(owned, |one| Some(one.epoch)),
    );
    families.add_gauge(
        "windrow_partition_offset",
        "The offset of the record that is read next.",
        samples_by_partition(owned, |one| one.next_offset),
    );
    families.add_gauge(
        "windrow_partition_end_offset",
        "The offset after the last record in Kafka, as far as known.",
        samples_by_partition(owned, |one| one.end_offset),
    );
    families.add_gauge(
        "windrow_partition_lag_records",
        "Records in Kafka that have not been read yet.",
        samples_by_partition(owned, |one| one.lag),
    );
    families.add_gauge(
        "windrow_partition_watermark_timestamp_seconds",
        "How far the partition's event time is known to be complete, as Unix time; windows fire when it passes their end.",
        samples_by_partition(owned, |one| one.watermark_ms.map(ms_as_seconds)),
    );
    families.add_gauge(
        "windrow_partition_event_time_timestamp_seconds",
        "The largest event time seen in the partition, as Unix time.",
        samples_by_partition(owned, |one| one.largest_event_time_ms.map(ms_as_seconds)),
    );
    families.add_gauge(
        "windrow_partition_follows_clock",
        "1 while the watermark follows the wall clock, because no record has come for the idle timeout; otherwise 0.",
        samples_by_partition(owned, |one| Some(u64::from(one.follows_clock))),
    );
    families.add_gauge(
        "windrow_partition_idle",
        "1 while all records are read and none has arrived for ten seconds, otherwise 0.",
        samples_by_partition(owned, |one| Some(u64::from(one.is_idle))),
    );
    families.add_gauge(
        "windrow_partition_last_record_timestamp_seconds",
        "When a record was read last, as Unix time.",
        samples_by_partition(owned, |one| one.last_record_processed_at_ms.map(ms_as_seconds)),
    );
    families.add_gauge(
        "windrow_partition_last_append_timestamp_seconds",
        "When the record read last was produced or appended, as Unix time.",
        samples_by_partition(owned, |one| one.last_record_kafka_timestamp_ms.map(ms_as_seconds)),
    );
    families.add_counter(
        "windrow_partition_records_total",
        "Records read since this instance opened the partition.",
        samples_by_partition(owned, |one| Some(one.records_read)),
    );
    families.add_gauge(
        "windrow_partition_entities",
        "Entities (users) that have state in the partition.",
        samples_by_partition(owned, |one| Some(one.entity_count)),
    );
    families.add_gauge(
        "windrow_partition_state_bytes",
        "Bytes of the partition's last checkpoint, all layers together.",
        samples_by_partition(owned, |one| Some(one.last_checkpoint_bytes)),
    );
    families.add_gauge(
        "windrow_partition_checkpoint_offset",
        "The offset up to which the partition's last complete checkpoint holds the state; a restart reads again from there.",
        samples_by_partition(owned, |one| one.last_checkpoint_offset),
    );
    families.add_gauge(
        "windrow_partition_checkpoint_age_seconds",
        "The age of the partition's last complete checkpoint.",
        samples_by_partition(owned, |one| one.last_checkpoint_age_ms.map(|ms| count_as_f64(ms) / 1_000.0)),
    );
}

/// Returns a sample for each partition with a known value.
pub(super) fn samples_by_partition<V>(
    owned: &[&PartitionReport],
    value: impl Fn(&PartitionReport) -> Option<V>,
) -> impl Iterator<Item = MetricSample<V>> {
    owned.iter().filter_map(move |one| Some(MetricSample::new([("partition", one.partition.to_string())], value(one)?)))
}
