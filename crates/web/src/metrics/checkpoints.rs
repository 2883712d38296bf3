//! What became of checkpoints, and of what was restored from them.

use windrow_spec::Pipeline;

use super::families::{Families, Sample, count, seconds};
use crate::InstanceReport;
use crate::report::{CheckpointReport, CheckpointStatus, PartitionReport, RestoredReport};

pub(super) fn add(families: &mut Families, report: &InstanceReport, owned: &[&PartitionReport], pipeline: &Pipeline) {
    let counts = report.checkpoint_counts;
    families.gauge(
        "windrow_checkpoint_interval_seconds",
        "Time between the starts of two checkpoints, as the pipeline file has it.",
        [seconds(pipeline.checkpoint.every_ms).into()],
    );
    families.counter(
        "windrow_checkpoints_completed_total",
        "Checkpoints of single partitions that are complete.",
        [count(counts.completed).into()],
    );
    families.counter(
        "windrow_checkpoints_failed_total",
        "Checkpoints of single partitions that failed.",
        [count(counts.failed).into()],
    );
    families.gauge(
        "windrow_checkpoints_in_progress",
        "Checkpoints of single partitions that are being taken.",
        [count(counts.in_progress).into()],
    );
    families.counter(
        "windrow_partitions_restored_total",
        "Partitions restored from a checkpoint or a savepoint.",
        [count(counts.restored).into()],
    );
    families.counter(
        "windrow_partitions_fenced_total",
        "Partitions that somebody else took over while this instance believed to own them.",
        [count(counts.fenced).into()],
    );
    last_checkpoints(families, report, owned);
    last_restored(families, report, owned);
}

/// Of the partitions it owns now: what an instance no longer owns would stay as it was for ever.
fn last_checkpoints(families: &mut Families, report: &InstanceReport, owned: &[&PartitionReport]) {
    let completed = |partition: i32| {
        report.checkpoints.iter().find(|one| {
            one.partition == partition && one.savepoint.is_none() && one.status == CheckpointStatus::Completed
        })
    };
    let last: Vec<_> = owned.iter().filter_map(|one| completed(one.partition)).collect();
    let each = |value: fn(&CheckpointReport) -> Option<f64>| {
        last.iter().filter_map(move |one| Some(Sample::new([("partition", one.partition.to_string())], value(one)?)))
    };
    families.gauge(
        "windrow_partition_checkpoint_duration_seconds",
        "How long the partition's last complete checkpoint took, from the cut until it counted.",
        each(|one| Some(seconds(one.ended_at_ms? - one.began_at_ms))),
    );
    families.gauge(
        "windrow_partition_checkpoint_added_bytes",
        "Bytes that the partition's last complete checkpoint wrote.",
        each(|one| Some(count(one.added_bytes))),
    );
}

fn last_restored(families: &mut Families, report: &InstanceReport, owned: &[&PartitionReport]) {
    let restored = |partition: i32| report.restored.iter().find(|one| one.partition == partition);
    let last: Vec<_> = owned.iter().filter_map(|one| restored(one.partition)).collect();
    let each = |value: fn(&RestoredReport) -> f64| {
        last.iter().map(move |one| Sample::new([("partition", one.partition.to_string())], value(one)))
    };
    families.gauge(
        "windrow_partition_restored_timestamp_seconds",
        "When the partition was last restored by this instance, as Unix time.",
        each(|one| seconds(one.at_ms)),
    );
    families.gauge(
        "windrow_partition_restore_duration_seconds",
        "How long restoring the partition took.",
        each(|one| count(one.took_ms) / 1_000.0),
    );
}
