//! From partitions' checkpoints to rounds.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::flink::look::FlinkJob;
use crate::report::{CheckpointReport, CheckpointStatus};

/// An instance that remembers this many may have forgotten part of the oldest round.
const REMEMBERED_CHECKPOINTS: usize = 50;

/// What is shown as one checkpoint: by partition, each one's newest in it.
pub(in crate::flink) struct CheckpointRound<'a> {
    pub(in crate::flink) id: i64,
    pub(in crate::flink) savepoint: Option<&'a str>,
    pub(in crate::flink) parts: BTreeMap<i32, &'a CheckpointReport>,
    /// Parts that are there or to come.
    pub(in crate::flink) expected_parts: usize,
}

/// Newest first.
pub(in crate::flink) fn checkpoint_rounds<'a>(look: &'a FlinkJob<'_>) -> Vec<CheckpointRound<'a>> {
    let every = look.pipeline.checkpoint.interval_ms.max(1);
    let mut rounds: BTreeMap<(i64, Option<&str>), BTreeMap<i32, &CheckpointReport>> = BTreeMap::new();
    let all = look.instances.iter().flat_map(|one| &one.checkpoints);
    for part in all {
        let id = match &part.savepoint {
            None => part.began_at_ms.div_euclid(every) * every,
            Some(name) => savepoint_id(name, part.began_at_ms, every),
        };
        let parts = rounds.entry((id, part.savepoint.as_deref())).or_default();
        let newest = parts.entry(part.partition).or_insert(part);
        if (part.began_at_ms, part.epoch, part.number) > (newest.began_at_ms, newest.epoch, newest.number) {
            *newest = part;
        }
    }
    if rounds.len() > 1 && look.instances.iter().any(|one| one.checkpoints.len() >= REMEMBERED_CHECKPOINTS) {
        rounds.pop_first();
    }
    let owned = look.instances.iter().map(|one| one.partitions.len()).sum::<usize>();
    let rounds = rounds.into_iter().rev().map(|((id, savepoint), parts)| {
        let expected = if savepoint.is_some() { look.partition_count() } else { owned };
        let over = savepoint.is_none() && look.now_ms >= id + every;
        let young = savepoint.is_none() || look.now_ms < id + SAVEPOINT_TIMEOUT_MS;
        let expected = if !over && young { expected.max(parts.len()) } else { parts.len() };
        CheckpointRound { id, savepoint, parts, expected_parts: expected }
    });
    rounds.collect()
}

/// Parts of a savepoint that were not told of by then are not waited for.
const SAVEPOINT_TIMEOUT_MS: i64 = 300_000;

/// When it was asked for, which its name begins with; never a round's.
fn savepoint_id(name: &str, began_at_ms: i64, every: i64) -> i64 {
    let stamp = name.split('-').next().unwrap_or_default();
    let asked = DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok().and_then(|at| at.to_zoned(TimeZone::UTC).ok());
    let id = asked.map_or(began_at_ms, |at| at.timestamp().as_millisecond());
    if id % every == 0 { id + 1 } else { id }
}

impl CheckpointRound<'_> {
    /// As Flink has it: one part that failed makes all fail.
    pub(in crate::flink) fn status(&self) -> CheckpointStatus {
        let any = |status| self.parts.values().any(|part| part.status == status);
        if any(CheckpointStatus::Failed) {
            CheckpointStatus::Failed
        } else if self.parts.len() < self.expected_parts || any(CheckpointStatus::InProgress) {
            CheckpointStatus::InProgress
        } else {
            CheckpointStatus::Completed
        }
    }

    /// When the first part was cut.
    pub(in crate::flink) fn began_at_ms(&self) -> i64 {
        self.parts.values().map(|part| part.began_at_ms).min().unwrap_or(self.id)
    }

    /// When the last part ended.
    pub(in crate::flink) fn ended_at_ms(&self) -> Option<i64> {
        self.parts.values().filter_map(|part| part.ended_at_ms).max()
    }

    /// The longest that a part took: parts of a round are cut at different times, each for itself.
    pub(in crate::flink) fn duration_ms(&self) -> u64 {
        let took = |part: &&CheckpointReport| part.ended_at_ms.map(|ended| ended - part.began_at_ms);
        let longest = self.parts.values().filter_map(took).max().unwrap_or_default();
        u64::try_from(longest).unwrap_or_default()
    }

    pub(in crate::flink) fn added_bytes(&self) -> u64 {
        self.parts.values().map(|part| part.added_bytes).sum()
    }

    pub(in crate::flink) fn state_bytes(&self) -> u64 {
        self.parts.values().map(|part| part.state_bytes).sum()
    }

    pub(in crate::flink) fn completed_parts(&self) -> usize {
        self.parts.values().filter(|part| part.status == CheckpointStatus::Completed).count()
    }

    /// Why, for each partition that failed.
    pub(in crate::flink) fn describe_failure(&self) -> String {
        let failed = self.parts.values().filter(|part| part.status == CheckpointStatus::Failed);
        let why = |part: &CheckpointReport| {
            format!("partition {}: {}", part.partition, part.failure.as_deref().unwrap_or("it failed"))
        };
        failed.map(|part| why(part)).collect::<Vec<_>>().join("; ")
    }
}
