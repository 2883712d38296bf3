//! What somebody should look at, in words that say what to do.

use serde::Serialize;

use super::JobReport;
use crate::report::{CheckpointStatus, InstanceState, ReachabilityReport};
use crate::words::{format_count, format_time_span};

/// How urgent something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum AttentionLevel {
    /// All is well.
    Well,
    /// Look soon.
    Soon,
    /// Act.
    Act,
}

/// Something to look at.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct AttentionItem {
    /// How urgent.
    pub level: AttentionLevel,
    /// What there is.
    pub what: String,
    /// What to do.
    pub todo: String,
}

/// Workers busy, or waiting for Redis, for more than this share of their time hold the job back.
pub(crate) const BUSY_SHARE_MAX: f64 = 0.8;
/// See [`BUSY_SHARE_MAX`].
pub(crate) const BACKPRESSURE_SHARE_MAX: f64 = 0.2;
/// Partitions may be without an owner for this long after the group changed.
const REBALANCE_GRACE_MS: i64 = 20_000;
/// Dead letters older than this are no news.
const DEAD_LETTER_NEWS_MS: i64 = 300_000;
/// Lag is compared with that of this many steps of the history before (three minutes).
const LAG_TREND_STEPS: usize = 18;
/// Lag below this many seconds of records is no matter.
const LAG_SECONDS_MIN: f64 = 10.0;
const HEARTBEAT_AGE_MAX_MS: u64 = 30_000;

impl JobReport {
    /// What to look at, the most urgent first. `every_ms`: time between two checkpoints.
    #[must_use]
    pub fn attention_items(&self, every_ms: i64) -> Vec<AttentionItem> {
        let mut all = Vec::new();
        let mut say = |level, what: String, todo: &str| all.push(AttentionItem { level, what, todo: todo.to_owned() });
        self.report_unreachable_dependencies(every_ms, &mut say);
        self.report_unowned_partitions(&mut say);
        self.report_worker_problems(&mut say);
        self.report_checkpoint_problems(every_ms, &mut say);
        self.report_dead_letters(&mut say);
        all.sort_by_key(|one| std::cmp::Reverse(one.level));
        all
    }

    fn report_unreachable_dependencies(&self, every_ms: i64, say: &mut impl FnMut(AttentionLevel, String, &str)) {
        let away = |name: &str, reach: &ReachabilityReport| {
            let lasting_ms = self.now_ms - reach.away_since_ms?;
            let reason = reach.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            Some((lasting_ms, format!("{name} has been away for {}{reason}", format_time_span(lasting_ms))))
        };
        if let Some((_, what)) = away("Kafka", &self.kafka_reachability()) {
            let todo = "Start Kafka or correct source.kafka.brokers; reading goes on by itself when it is back.";
            say(AttentionLevel::Act, what, todo);
        }
        if let Some((_, what)) = away("Redis", &self.redis_reachability()) {
            let todo = "Start Redis or correct sink.redis.url; nothing is lost, reading waits.";
            say(AttentionLevel::Act, what, todo);
        }
        if let Some((lasting_ms, what)) = away("The checkpoint store", &self.checkpoint_store_reachability()) {
            let level =
                if lasting_ms > every_ms.saturating_mul(10) { AttentionLevel::Act } else { AttentionLevel::Soon };
            let todo = "See that it can be reached and written to (checkpoint.store). Events are worked on meanwhile, but a \
                        restart would go back to the last checkpoint.";
            say(level, what, todo);
        }
    }

    fn report_unowned_partitions(&self, say: &mut impl FnMut(AttentionLevel, String, &str)) {
        if self.instances.iter().all(|one| one.state != InstanceState::Running) {
            return;
        }
        let all = self.partitions();
        let free: Vec<_> = all.iter().filter(|one| one.owner.is_none()).map(|one| one.partition.to_string()).collect();
        if free.is_empty() {
            return;
        }
        let moved = self.instances.iter().flat_map(|one| &one.marks);
        let mut moved = moved.filter(|mark| matches!(mark.kind.as_str(), "started" | "assigned" | "revoked"));
        let settling = moved.any(|mark| self.now_ms - mark.at_ms < REBALANCE_GRACE_MS);
        let level = if settling { AttentionLevel::Soon } else { AttentionLevel::Act };
        let partitions = if free.len() == 1 { "partition" } else { "partitions" };
        let what = format!("Nobody reads {partitions} {}", free.join(", "));
        let todo = "Wait for the group to hand it out, at most its session timeout. Then see whether an instance is missing, or \
                    its log says why it did not take it.";
        say(level, what, todo);
    }

    fn report_worker_problems(&self, say: &mut impl FnMut(AttentionLevel, String, &str)) {
        let redis_away = self.redis_reachability().away_since_ms.is_some();
        let away = redis_away || self.kafka_reachability().away_since_ms.is_some();
        for one in &self.instances {
            for (index, worker) in one.workers.iter().enumerate() {
                if worker.beat_age_ms >= HEARTBEAT_AGE_MAX_MS && !away {
                    let lasting = format_time_span(i64::try_from(worker.beat_age_ms).unwrap_or(i64::MAX));
                    let what = format!("Worker {index} of {} has been stuck for {lasting}", one.host);
                    say(
                        AttentionLevel::Act,
                        what,
                        "Look at its log, then restart it: it goes on from its last checkpoint.",
                    );
                }
            }
        }
        let totals = self.totals();
        if totals.backpressured > BACKPRESSURE_SHARE_MAX && !redis_away {
            let what = format!("Workers wait for Redis {:.0} % of the time", totals.backpressured * 100.0);
            say(AttentionLevel::Soon, what, "Look at the load of Redis and at the way to it.");
        }
        if self.is_falling_behind() {
            let lag = totals.lag.unwrap_or_default();
            let behind = totals.behind_ms.map(|ms| format!(", {}", format_time_span(ms))).unwrap_or_default();
            let what = format!("The job is falling behind: {lag} records wait{behind}, and it is growing");
            let todo = if totals.backpressured > BACKPRESSURE_SHARE_MAX {
                "Workers wait for Redis: look at its load."
            } else {
                "Start another instance, or give this one more workers (at most one per partition helps)."
            };
            say(AttentionLevel::Soon, what, todo);
        }
    }

    /// Whether lag matters, and is growing for minutes.
    pub(crate) fn is_falling_behind(&self) -> bool {
        let totals = self.totals();
        let history = self.history();
        let before = history.lag.iter().rev().nth(LAG_TREND_STEPS).copied().flatten();
        let (Some(lag), Some(before)) = (totals.lag, before) else { return false };
        #[allow(clippy::cast_precision_loss)] // compared, not counted
        let matters = lag as f64 > LAG_SECONDS_MIN * totals.records_per_s;
        matters && lag > 1_000 && lag > before.saturating_add(before / 2)
    }

    fn report_checkpoint_problems(&self, every_ms: i64, say: &mut impl FnMut(AttentionLevel, String, &str)) {
        let failing = self.owned_partitions().find_map(|(instance, partition)| {
            let mut of_it = instance.checkpoints.iter().filter(|one| {
                one.partition == partition.partition
                    && one.savepoint.is_none()
                    && one.status != CheckpointStatus::InProgress
            });
            of_it.next().filter(|newest| newest.status == CheckpointStatus::Failed)
        });
        if let Some(failed) = failing {
            let reason = failed.failure.as_deref().unwrap_or("see the log");
            let what = format!("The last checkpoint of partition {} failed: {reason}", failed.partition);
            say(
                AttentionLevel::Act,
                what,
                "Mend what it names; the next checkpoint is tried by itself. Checkpoints has the history.",
            );
        }
        let age_ms = self.last_checkpoint(every_ms).age_ms.and_then(|age| i64::try_from(age).ok()).unwrap_or(0);
        let late = every_ms.saturating_mul(3).saturating_add(10_000);
        if age_ms > late && failing.is_none() {
            let level = if age_ms > late.saturating_mul(3) { AttentionLevel::Act } else { AttentionLevel::Soon };
            let what = format!("The last checkpoint is {} old", format_time_span(age_ms));
            let todo = if self.redis_reachability().away_since_ms.is_some() {
                "It waits for Redis; it comes by itself when Redis is back."
            } else {
                "See on Checkpoints how long they take, and whether the checkpoint store is slow."
            };
            say(level, what, todo);
        }
    }

    fn report_dead_letters(&self, say: &mut impl FnMut(AttentionLevel, String, &str)) {
        for (kind, level, thing, todo) in [
            ("row", AttentionLevel::Act, "refused row", "See on Problems what lies at its key in Redis."),
            (
                "record",
                AttentionLevel::Soon,
                "dead letter",
                "See on Problems what is wrong with the record, and tell its producer.",
            ),
        ] {
            let letters = self.newest_items(|one| &one.dead_letters, |letter| letter.at_ms);
            let new: Vec<_> = letters
                .into_iter()
                .filter(|(_, letter)| letter.kind == kind && self.now_ms - letter.at_ms < DEAD_LETTER_NEWS_MS)
                .collect();
            if let Some((_, newest)) = new.first() {
                let what = format!("{} lately; the newest: {}", format_count(new.len(), thing), newest.reason);
                say(level, what, todo);
            }
        }
    }
}
