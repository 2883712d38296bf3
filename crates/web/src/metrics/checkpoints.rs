//! Metrics of checkpoints and restored partitions.

use windrow_spec::Pipeline;

use super::families::{MetricFamilies, MetricSample, count_as_f64, ms_as_seconds};
use crate::report::{CheckpointReport, CheckpointStatus, InstanceReport, PartitionReport, RestoreReport};

pub(super) fn add_checkpoint_metrics(
    families: &mut MetricFamilies,
    report: &InstanceReport,
    owned: &[&PartitionReport],
    pipeline: &Pipeline,
) {
    let counts = report.checkpoint_counts;
    families.add_gauge(
        "windrow_checkpoint_interval_seconds",
        "Time between the starts of two checkpoints, as the pipeline file has it.",
        [ms_as_seconds(pipeline.checkpoint.checkpoint_interval_ms).into()],
    );
    families.add_counter(
        "windrow_checkpoints_completed_total",
        "Checkpoints of single partitions that are complete.",
        [count_as_f64(counts.completed_count).into()],
    );
    families.add_counter(
        "windrow_checkpoints_failed_total",
        "Checkpoints of single partitions that failed.",
        [count_as_f64(counts.failed_count).into()],
    );
    families.add_gauge(
        "windrow_checkpoints_in_progress",
        "Checkpoints of single partitions that are being taken.",
        [count_as_f64(counts.in_progress_count).into()],
    );
    families.add_counter(
        "windrow_partitions_restored_total",
        "Partitions restored from a checkpoint or a savepoint.",
        [count_as_f64(counts.restored_partition_count).into()],
    );
    families.add_counter(
        "windrow_partitions_fenced_total",
        "Partitions that another owner claimed while this instance still owned them.",
        [count_as_f64(counts.fenced_partition_count).into()],
    );
    add_last_checkpoint_metrics(families, report, owned);
    add_last_restore_metrics(families, report, owned);
}

/// Adds metrics of the last checkpoint of each owned partition. Partitions that this instance no longer owns are left
/// out, because the values of such partitions would never change again.
fn add_last_checkpoint_metrics(families: &mut MetricFamilies, report: &InstanceReport, owned: &[&PartitionReport]) {
    let completed = |partition: i32| {
        report.recent_checkpoints.iter().find(|one| {
            one.partition == partition && one.savepoint_id.is_none() && one.status == CheckpointStatus::Completed
        })
    };
    let last: Vec<_> = owned.iter().filter_map(|one| completed(one.partition)).collect();
    let samples = |value: fn(&CheckpointReport) -> Option<f64>| {
        last.iter()
            .filter_map(move |one| Some(MetricSample::new([("partition", one.partition.to_string())], value(one)?)))
    };
    families.add_gauge(
        "windrow_partition_checkpoint_duration_seconds",
        "How long the partition's last complete checkpoint took, from its cut to its completion.",
        samples(|one| Some(ms_as_seconds(one.ended_at_ms? - one.began_at_ms))),
    );
    families.add_gauge(
        "windrow_partition_checkpoint_added_bytes",
        "Bytes that the partition's last complete checkpoint wrote.",
        samples(|one| Some(count_as_f64(one.added_bytes))),
    );
}

fn add_last_restore_metrics(families: &mut MetricFamilies, report: &InstanceReport, owned: &[&PartitionReport]) {
    let restored = |partition: i32| report.recent_restores.iter().find(|one| one.partition == partition);
    let last: Vec<_> = owned.iter().filter_map(|one| restored(one.partition)).collect();
    let samples = |value: fn(&RestoreReport) -> f64| {
        last.iter().map(move |one| MetricSample::new([("partition", one.partition.to_string())], value(one)))
    };
    families.add_gauge(
        "windrow_partition_restored_timestamp_seconds",
        "When the partition was last restored by this instance, as Unix time.",
        samples(|one| ms_as_seconds(one.restored_at_ms)),
    );
    families.add_gauge(
        "windrow_partition_restore_duration_seconds",
        "How long restoring the partition took.",
        samples(|one| count_as_f64(one.restore_duration_ms) / 1_000.0),
    );
}
