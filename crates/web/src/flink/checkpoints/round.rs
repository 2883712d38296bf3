//! Groups the checkpoints of single partitions into rounds. Flink's API shows a round as one checkpoint of the job.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::flink::flink_job::FlinkJob;
use crate::report::{CheckpointReport, CheckpointStatus};

/// The largest number of checkpoints in an instance's report. If a report contains this number of checkpoints, it may
/// lack older checkpoints of the oldest round. So the oldest round is not shown.
const MAX_REPORTED_CHECKPOINTS: usize = 50;
/// A savepoint counts as in progress until the reports contain its checkpoint of every partition. This long after the
/// request of the savepoint, missing checkpoints no longer matter.
const SAVEPOINT_TIMEOUT_MS: i64 = 300_000;

/// A group of partition checkpoints. Flink's API shows the group as one checkpoint of the job.
pub(crate) struct CheckpointRound<'a> {
    pub(crate) id: i64,
    /// The name of the savepoint; `None` for a round of checkpoints.
    pub(crate) savepoint_name: Option<&'a str>,
    /// The newest checkpoint of each partition in this round, by partition number.
    pub(crate) newest_checkpoint_by_partition: BTreeMap<i32, &'a CheckpointReport>,
    /// The number of partition checkpoints in the round, including the partition checkpoints that have not begun yet.
    pub(crate) expected_partition_count: usize,
}

/// Returns the rounds of all reported checkpoints, newest first.
pub(crate) fn collect_checkpoint_rounds<'a>(job: &'a FlinkJob<'_>) -> Vec<CheckpointRound<'a>> {
    let every_ms = job.pipeline.checkpoint.checkpoint_interval_ms.max(1);
    let mut rounds: BTreeMap<(i64, Option<&str>), BTreeMap<i32, &CheckpointReport>> = BTreeMap::new();
    for part in job.instances.iter().flat_map(|instance| &instance.recent_checkpoints) {
        let id = match &part.savepoint_id {
            None => part.began_at_ms.div_euclid(every_ms) * every_ms,
            Some(name) => savepoint_round_id(name, part.began_at_ms, every_ms),
        };
        let parts = rounds.entry((id, part.savepoint_id.as_deref())).or_default();
        let newest = parts.entry(part.partition).or_insert(part);
        if (part.began_at_ms, part.epoch, part.checkpoint_number)
            > (newest.began_at_ms, newest.epoch, newest.checkpoint_number)
        {
            *newest = part;
        }
    }
    let may_be_incomplete =
        job.instances.iter().any(|instance| instance.recent_checkpoints.len() >= MAX_REPORTED_CHECKPOINTS);
    if rounds.len() > 1 && may_be_incomplete {
        rounds.pop_first();
    }
    let owned = job.instances.iter().map(|instance| instance.owned_partitions.len()).sum::<usize>();
    let rounds = rounds.into_iter().rev().map(|((id, savepoint), parts)| {
        let (all_parts, open_for_ms) = match savepoint {
            Some(_) => (job.partition_count(), SAVEPOINT_TIMEOUT_MS),
            None => (owned, every_ms),
        };
        let is_open = job.now_ms < id + open_for_ms;
        let expected_parts = if is_open { all_parts.max(parts.len()) } else { parts.len() };
        CheckpointRound {
            id,
            savepoint_name: savepoint,
            newest_checkpoint_by_partition: parts,
            expected_partition_count: expected_parts,
        }
    });
    rounds.collect()
}

/// Returns the id of a savepoint's round. The name of a savepoint begins with the time of its request. The id is this
/// time in milliseconds, or `began_at_ms` if the name contains no time. The ids of checkpoint rounds are multiples of
/// the checkpoint interval `every_ms`. If the id would be such a multiple, the id is larger by one.
fn savepoint_round_id(name: &str, began_at_ms: i64, every_ms: i64) -> i64 {
    let stamp = name.split('-').next().unwrap_or_default();
    let requested = DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok().and_then(|at| at.to_zoned(TimeZone::UTC).ok());
    let id = requested.map_or(began_at_ms, |at| at.timestamp().as_millisecond());
    if id % every_ms == 0 { id + 1 } else { id }
}

impl CheckpointRound<'_> {
    /// Returns the status of the round. As in Flink, a round fails if one of its partition checkpoints fails.
    pub(crate) fn status(&self) -> CheckpointStatus {
        let has = |status| self.newest_checkpoint_by_partition.values().any(|part| part.status == status);
        if has(CheckpointStatus::Failed) {
            CheckpointStatus::Failed
        } else if self.newest_checkpoint_by_partition.len() < self.expected_partition_count
            || has(CheckpointStatus::InProgress)
        {
            CheckpointStatus::InProgress
        } else {
            CheckpointStatus::Completed
        }
    }

    /// Returns the time at which the first partition checkpoint of the round began.
    pub(crate) fn first_began_at_ms(&self) -> i64 {
        self.newest_checkpoint_by_partition.values().map(|part| part.began_at_ms).min().unwrap_or(self.id)
    }

    /// Returns the time at which a partition checkpoint of the round last ended; `None` if none has ended.
    pub(crate) fn last_ended_at_ms(&self) -> Option<i64> {
        self.newest_checkpoint_by_partition.values().filter_map(|part| part.ended_at_ms).max()
    }

    /// Returns the longest duration of a partition checkpoint in the round. The time from the first start to the last
    /// end would be misleading, because the partition checkpoints begin at different times.
    pub(crate) fn longest_duration_ms(&self) -> u64 {
        let took_ms = |part: &&CheckpointReport| part.ended_at_ms.map(|ended| ended - part.began_at_ms);
        let longest_ms = self.newest_checkpoint_by_partition.values().filter_map(took_ms).max().unwrap_or_default();
        u64::try_from(longest_ms).unwrap_or_default()
    }

    pub(crate) fn total_added_bytes(&self) -> u64 {
        self.newest_checkpoint_by_partition.values().map(|part| part.added_bytes).sum()
    }

    pub(crate) fn total_state_bytes(&self) -> u64 {
        self.newest_checkpoint_by_partition.values().map(|part| part.all_layers_bytes).sum()
    }

    pub(crate) fn completed_partition_count(&self) -> usize {
        self.newest_checkpoint_by_partition.values().filter(|part| part.status == CheckpointStatus::Completed).count()
    }

    /// Returns a text that lists the failed partition checkpoints, each with its reason.
    pub(crate) fn describe_failed_partitions(&self) -> String {
        let failed =
            self.newest_checkpoint_by_partition.values().filter(|part| part.status == CheckpointStatus::Failed);
        let describe = |part: &&CheckpointReport| {
            format!("partition {}: {}", part.partition, part.failure.as_deref().unwrap_or("unknown reason"))
        };
        failed.map(describe).collect::<Vec<_>>().join("; ")
    }
}
