//! Finds the problems of a job that an operator should look at, each with a remedy.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;
use windrow_core::text::{format_age_ms, format_count_with_noun, pluralize};

use super::checkpoints::newest_matching_checkpoint;
use super::job_report::JobReport;
use super::thresholds::MAX_BACKPRESSURE_SHARE;
use crate::report::{
    CheckpointReport, CheckpointStatus, DeadLetterReport, InputProblemReport, InstanceState, MissingRowsReport,
    ParkedPartitionReport, ReachabilityReport, ReportedProblemKind,
};

/// A partition without an owner is not urgent if the owners of partitions changed less than this time ago, in
/// milliseconds. In this time, the consumer group may still be assigning partitions.
const REBALANCE_GRACE_MS: i64 = 20_000;
/// The age in milliseconds above which a dead letter needs no attention.
const MAX_DEAD_LETTER_AGE_MS: i64 = 300_000;
/// The age in milliseconds above which a fault of the input needs no attention.
const MAX_INPUT_PROBLEM_AGE_MS: i64 = 300_000;
/// The time in milliseconds for which lost rows need attention: the longest usual TTL of rows, a day.
const MAX_MISSING_ROWS_AGE_MS: i64 = 86_400_000;
/// The maximum number of items about parked partitions.
const MAX_PARKED_PARTITION_ITEMS: usize = 10;
/// The maximum number of items about lost rows.
const MAX_MISSING_ROWS_ITEMS: usize = 10;
/// `is_falling_behind` compares the current lag with the lag this many history steps earlier. 18 steps of 10 seconds
/// are three minutes.
const LAG_TREND_STEPS: usize = 18;
/// A lag needs no attention if the job, at its current rate, reads as many records as the lag within this number of
/// seconds.
const SIGNIFICANT_LAG_SECONDS: f64 = 10.0;
/// A lag of at most this many records needs no attention.
const SIGNIFICANT_LAG_RECORDS: u64 = 1_000;

/// The urgency with which an operator should look at a problem.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum AttentionLevel {
    /// Nothing needs attention.
    Well,
    /// An operator should look at the problem soon.
    Soon,
    /// An operator must act now.
    Act,
}

/// A problem that an operator should look at, with a remedy.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct AttentionItem {
    /// The urgency of the problem.
    pub level: AttentionLevel,
    /// The description of the problem.
    #[serde(rename = "what")]
    pub problem: String,
    /// The remedy.
    #[serde(rename = "todo")]
    pub remedy: String,
}

/// The problems that were found so far.
#[derive(Default)]
struct AttentionList(Vec<AttentionItem>);

impl AttentionList {
    fn add(&mut self, level: AttentionLevel, problem: String, remedy: &str) {
        self.0.push(AttentionItem { level, problem, remedy: remedy.to_owned() });
    }
}

impl JobReport {
    /// Returns the problems of the job, the most urgent problem first. `interval_ms` is the configured checkpoint
    /// interval.
    #[must_use]
    pub fn attention_items(&self, interval_ms: i64) -> Vec<AttentionItem> {
        let mut list = AttentionList::default();
        self.add_unreachable_dependencies(interval_ms, &mut list);
        self.add_parked_partitions(&mut list);
        self.add_unowned_partitions(&mut list);
        self.add_stuck_workers(&mut list);
        self.add_backpressure_and_lag(&mut list);
        self.add_checkpoint_problems(interval_ms, &mut list);
        self.add_input_problems(&mut list);
        self.add_missing_rows(&mut list);
        self.add_dead_letters(&mut list);
        let mut items = list.0;
        items.sort_by_key(|item| Reverse(item.level));
        items
    }

    fn add_unreachable_dependencies(&self, interval_ms: i64, list: &mut AttentionList) {
        let unreachable_for =
            |dependency: &ReachabilityReport| Some(self.assembled_at_ms - dependency.unreachable_since_ms?);
        let describe = |name: &str, dependency: &ReachabilityReport, lasting_ms: i64| {
            let reason =
                dependency.unreachable_reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("{name} has been unreachable for {}{reason}", format_age_ms(lasting_ms.try_into().unwrap_or(0)))
        };
        let kafka = self.kafka_reachability();
        if let Some(lasting_ms) = unreachable_for(&kafka) {
            let remedy = "Start Kafka or correct source.kafka.brokers; reading resumes by itself.";
            list.add(AttentionLevel::Act, describe("Kafka", &kafka, lasting_ms), remedy);
        }
        let redis = self.redis_reachability();
        if let Some(lasting_ms) = unreachable_for(&redis) {
            let reason = redis.unreachable_reason.as_deref().unwrap_or_default();
            let (problem, remedy) = if redis.lacks_acknowledgement_only() {
                let problem = format!("For {}: {reason}", format_age_ms(lasting_ms.try_into().unwrap_or(0)));
                if reason.contains("sink.redis.wait_aof") {
                    (
                        problem,
                        "See why Redis does not write its append-only file: the disk, appendfsync, or its log. Until then \
                         no checkpoint completes. Nothing is lost; reading resumes by itself.",
                    )
                } else {
                    (
                        problem,
                        "Start the missing replicas of Redis, or lower sink.redis.wait_replicas. Until then no \
                         checkpoint completes. Nothing is lost; reading resumes by itself.",
                    )
                }
            } else {
                (
                    describe("Redis", &redis, lasting_ms),
                    "Start Redis or correct sink.redis.url. Nothing is lost; reading resumes by itself.",
                )
            };
            list.add(AttentionLevel::Act, problem, remedy);
        }
        let store = self.checkpoint_store_reachability();
        if let Some(lasting_ms) = unreachable_for(&store) {
            let level =
                if lasting_ms > interval_ms.saturating_mul(10) { AttentionLevel::Act } else { AttentionLevel::Soon };
            let remedy = "Make the store (checkpoint.store) reachable and writable. Partitions that are open are \
                          processed meanwhile, but a restart would go back to the last checkpoint.";
            list.add(level, describe("The checkpoint store", &store, lasting_ms), remedy);
        }
    }

    fn add_parked_partitions(&self, list: &mut AttentionList) {
        let parked = self.parked_partitions();
        for ParkedPartitionReport { partition, retry_at_ms, fault, remedy, .. } in
            parked.iter().take(MAX_PARKED_PARTITION_ITEMS).map(|parked| parked.item)
        {
            let problem = format!("Partition {partition} is parked and not read: {fault}");
            let time_left_ms = u64::try_from(retry_at_ms - self.assembled_at_ms).unwrap_or(0);
            let next_attempt = match time_left_ms {
                0 => "now".to_owned(),
                _ => format!("in {}", format_age_ms(time_left_ms)),
            };
            let end = if remedy.is_empty() { "" } else { ". " };
            let remedy = format!(
                "{remedy}{end}The next attempt to read it is {next_attempt}; the other partitions are read meanwhile."
            );
            list.add(AttentionLevel::Act, problem, &remedy);
        }
        let further = parked.len().saturating_sub(MAX_PARKED_PARTITION_ITEMS);
        if further > 0 {
            let problem = format!(
                "{further} further {} parked and not read",
                if further == 1 { "partition is" } else { "partitions are" }
            );
            list.add(AttentionLevel::Act, problem, "The page Partitions shows the fault of each.");
        }
    }

    fn add_unowned_partitions(&self, list: &mut AttentionList) {
        if self.instances.iter().all(|instance| instance.state != InstanceState::Running) {
            return;
        }
        let partitions = self.partitions_and_owners();
        let parked: BTreeSet<i32> = self.parked_partitions().iter().map(|parked| parked.item.partition).collect();
        let unowned: Vec<_> = partitions
            .iter()
            .filter(|partition| partition.owner.is_none() && !parked.contains(&partition.partition))
            .map(|partition| partition.partition.to_string())
            .collect();
        if unowned.is_empty() {
            return;
        }
        if self.has_unread_instances {
            let remedy = "Wait some seconds. If this stays, make the checkpoint store (checkpoint.store) reachable: the \
                          instances of a job find each other there.";
            list.add(AttentionLevel::Soon, "Not all instances have been read yet".to_owned(), remedy);
            return;
        }
        let mut marks = self.instances.iter().flat_map(|instance| &instance.recent_chart_marks);
        let is_rebalancing = marks.any(|mark| {
            mark.is_partition_owner_change() && self.assembled_at_ms - mark.occurred_at_ms < REBALANCE_GRACE_MS
        });
        let level = if is_rebalancing { AttentionLevel::Soon } else { AttentionLevel::Act };
        let problem =
            format!("No instance reads {} {}", pluralize(unowned.len() as u64, "partition"), unowned.join(", "));
        let remedy = "Wait for the consumer group to assign it, at most for the session timeout. Then check whether an \
                      instance is missing, or why an instance did not take the partition (its log has the reason).";
        list.add(level, problem, remedy);
    }

    fn add_stuck_workers(&self, list: &mut AttentionList) {
        if self.redis_reachability().is_unreachable() || self.kafka_reachability().is_unreachable() {
            return;
        }
        for instance in &self.instances {
            for (index, worker) in instance.workers.iter().enumerate().filter(|(_, worker)| worker.is_stuck()) {
                let lasting = format_age_ms(worker.heartbeat_age_ms);
                let problem = format!("Worker {index} of {} has been stuck for {lasting}", instance.host);
                let remedy = "Read the log of the instance, then restart it. It continues from its last checkpoints.";
                list.add(AttentionLevel::Act, problem, remedy);
            }
        }
    }

    fn add_backpressure_and_lag(&self, list: &mut AttentionList) {
        let totals = self.compute_totals();
        let waits_for_redis = totals.backpressured_share > MAX_BACKPRESSURE_SHARE;
        if waits_for_redis && !self.redis_reachability().is_unreachable() {
            let percent = totals.backpressured_share * 100.0;
            let problem = format!("Workers spend {percent:.0} % of their time waiting for Redis");
            list.add(AttentionLevel::Soon, problem, "Check the load of Redis and the network to it.");
        }
        if self.is_falling_behind() {
            let lag = format_count_with_noun(totals.lag.unwrap_or_default(), "record");
            let age = totals.behind_ms.map(|ms| format!(" and {}", format_age_ms(ms.try_into().unwrap_or(0))));
            let age = age.unwrap_or_default();
            let problem = format!("The job is behind by {lag}{age}, and the lag is growing");
            let remedy = if waits_for_redis {
                "Workers wait for Redis. Check its load and the network to it."
            } else {
                "Start another instance, or give this one more workers (at most one per partition helps)."
            };
            list.add(AttentionLevel::Soon, problem, remedy);
        }
    }

    /// Returns whether the lag is large enough to need attention, and is more than 1.5 times as large as about three
    /// minutes ago.
    pub(crate) fn is_falling_behind(&self) -> bool {
        let totals = self.compute_totals();
        let earlier = self.build_job_history().lag.iter().rev().nth(LAG_TREND_STEPS).copied().flatten();
        let (Some(lag), Some(earlier)) = (totals.lag, earlier) else { return false };
        let matters = lag as f64 > SIGNIFICANT_LAG_SECONDS * totals.records_per_s && lag > SIGNIFICANT_LAG_RECORDS;
        matters && lag > earlier.saturating_add(earlier / 2)
    }

    fn add_checkpoint_problems(&self, interval_ms: i64, list: &mut AttentionList) {
        let has_ended = |checkpoint: &CheckpointReport| checkpoint.status != CheckpointStatus::InProgress;
        let failed = self
            .partition_owners()
            .filter_map(|owner| newest_matching_checkpoint(owner.instance, owner.partition_report.partition, has_ended))
            .find(|newest| newest.status == CheckpointStatus::Failed);
        if let Some(failed) = failed {
            let reason = failed.failure.as_deref().unwrap_or("the log has the reason");
            let problem = format!("The last checkpoint of partition {} failed: {reason}", failed.partition);
            let remedy =
                "Remove the cause. The next checkpoint is taken by itself; the page Checkpoints shows the recent ones.";
            list.add(AttentionLevel::Act, problem, remedy);
            return;
        }
        let age_ms = self.summarize_newest_checkpoints(interval_ms).largest_age_ms.unwrap_or(0);
        let late_ms = u64::try_from(interval_ms.saturating_mul(3).saturating_add(10_000)).unwrap_or(0);
        if age_ms > late_ms {
            let level = if age_ms > late_ms.saturating_mul(3) { AttentionLevel::Act } else { AttentionLevel::Soon };
            let problem = format!("The last checkpoint is {} old", format_age_ms(age_ms));
            let remedy = if self.redis_reachability().is_unreachable() {
                "The next checkpoint waits for Redis."
            } else {
                "Check on the page Checkpoints how long checkpoints take, and whether the checkpoint store is slow."
            };
            list.add(level, problem, remedy);
        }
    }

    fn add_input_problems(&self, list: &mut AttentionList) {
        let problems =
            self.items_newest_first(|instance| &instance.recent_input_problems, |problem| problem.found_at_ms);
        let mut listed: Vec<&InputProblemReport> = Vec::new();
        for problem in problems.iter().map(|reported| reported.item) {
            let is_recent = self.assembled_at_ms - problem.found_at_ms < MAX_INPUT_PROBLEM_AGE_MS;
            if is_recent && !listed.iter().any(|known| known.is_same_fault(problem)) {
                listed.push(problem);
                let level = match problem.problem_kind {
                    ReportedProblemKind::Overflow => AttentionLevel::Soon,
                    ReportedProblemKind::MisplacedRecord
                    | ReportedProblemKind::MisreadEventTime
                    | ReportedProblemKind::Unknown => AttentionLevel::Act,
                };
                list.add(level, problem.problem.clone(), &problem.remedy);
            }
        }
    }

    fn add_missing_rows(&self, list: &mut AttentionList) {
        let missing = self.items_newest_first(|instance| &instance.missing_rows, |rows| rows.noticed_at_ms);
        let is_news = |rows: &&MissingRowsReport| self.assembled_at_ms - rows.noticed_at_ms < MAX_MISSING_ROWS_AGE_MS;
        for rows in missing.iter().map(|reported| reported.item).filter(is_news).take(MAX_MISSING_ROWS_ITEMS) {
            let problem = format!(
                "Redis has lost {} that no checkpoint produces again: {}",
                format_count_with_noun(rows.row_count, "row"),
                rows.description
            );
            let remedy = "Compute these rows again with `windrow replay` if their records still exist, or wait until \
                          later windows replace them. A larger `keep` in [checkpoint] lets the job go back further.";
            list.add(AttentionLevel::Act, problem, remedy);
        }
    }

    fn add_dead_letters(&self, list: &mut AttentionList) {
        let refused_rows_remedy = "Find the row's key on the page Problems, and check what Redis stores at this key.";
        let dead_letters_remedy = "Find the record on the page Problems, and correct the producer that wrote it.";
        for (kind, level, noun, remedy) in [
            ("row", AttentionLevel::Act, "refused row", refused_rows_remedy),
            ("record", AttentionLevel::Soon, "dead letter", dead_letters_remedy),
        ] {
            let letters =
                self.items_newest_first(|instance| &instance.recent_dead_letters, |letter| letter.refused_at_ms);
            let is_news = |letter: &DeadLetterReport| {
                letter.dead_letter_kind == kind && self.assembled_at_ms - letter.refused_at_ms < MAX_DEAD_LETTER_AGE_MS
            };
            let news: Vec<_> = letters.iter().map(|reported| reported.item).filter(|letter| is_news(letter)).collect();
            if let Some(newest) = news.first() {
                let problem = format!(
                    "{} in the last five minutes; reason of the newest: {}",
                    format_count_with_noun(news.len() as u64, noun),
                    newest.refusal_reason
                );
                list.add(level, problem, remedy);
            }
        }
    }
}
