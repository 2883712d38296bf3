//! Metrics of checkpoints and restored partitions.

use windrow_spec::Pipeline;

use super::families::{MetricFamilies, count_as_f64, ms_as_seconds};
use super::partitions::samples_by_partition;
use crate::report::{CheckpointStatus, InstanceReport, PartitionReport};

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
        [counts.completed_count.into()],
    );
    families.add_counter(
        "windrow_checkpoints_failed_total",
        "Checkpoints of single partitions that failed.",
        [counts.failed_count.into()],
    );
    families.add_gauge(
        "windrow_checkpoints_in_progress",
        "Checkpoints of single partitions that are being taken.",
        [counts.in_progress_count.into()],
    );
    families.add_counter(
        "windrow_partitions_restored_total",
        "Partitions restored from a checkpoint or a savepoint.",
        [counts.restored_partition_count.into()],
    );
    families.add_counter(
        "windrow_partitions_fenced_total",
        "Partitions that another owner claimed while this instance still owned them.",
        [counts.fenced_partition_count.into()],
    );
    families.add_counter(
        "windrow_rows_missing_total",
        "Rows that Redis has lost and that no kept checkpoint produces again, with those whose TTL had ended before.",
        [counts.missing_row_count.into()],
    );
    add_last_checkpoint_metrics(families, report, owned);
    add_last_restore_metrics(families, report, owned);
}

/// Adds metrics of the last checkpoint of each owned partition. Partitions that this instance no longer owns are left
/// out, because the values of such partitions would never change again.
fn add_last_checkpoint_metrics(families: &mut MetricFamilies, report: &InstanceReport, owned: &[&PartitionReport]) {
    let last_completed = |partition: i32| {
        report.recent_checkpoints.iter().find(|one| {
            one.partition == partition && one.savepoint_id.is_none() && one.status == CheckpointStatus::Completed
        })
    };
    families.add_gauge(
        "windrow_partition_checkpoint_duration_seconds",
        "How long the partition's last complete checkpoint took, from its cut to its completion.",
        samples_by_partition(owned, |one| {
            let last = last_completed(one.partition)?;
            Some(ms_as_seconds(last.ended_at_ms? - last.began_at_ms))
        }),
    );
    families.add_gauge(
        "windrow_partition_checkpoint_added_bytes",
        "Bytes that the partition's last complete checkpoint wrote.",
        samples_by_partition(owned, |one| Some(last_completed(one.partition)?.added_bytes)),
    );
}

fn add_last_restore_metrics(families: &mut MetricFamilies, report: &InstanceReport, owned: &[&PartitionReport]) {
    let last_restore = |partition: i32| report.recent_restores.iter().find(|one| one.partition == partition);
    families.add_gauge(
        "windrow_partition_restored_timestamp_seconds",
        "When the partition was last restored by this instance, as Unix time.",
        samples_by_partition(owned, |one| Some(ms_as_seconds(last_restore(one.partition)?.restored_at_ms))),
    );
    families.add_gauge(
        "windrow_partition_restore_duration_seconds",
        "How long restoring the partition took.",
        samples_by_partition(owned, |one| {
            Some(count_as_f64(last_restore(one.partition)?.restore_duration_ms) / 1_000.0)
        }),
    );
}
