//! The whole job, as the reports of its instances tell it.
//!
//! Owns: putting reports together. Does not own: getting them (`peers`), and any particular page's JSON.
//! Invariants: (1) a function of the reports alone; (2) a partition is counted once: where two instances claim it, the
//! larger epoch does.

mod attention;
mod checkpoints;
mod history;
mod partitions;
mod totals;

use std::hash::Hasher;

use serde::Serialize;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::InstanceReport;
use crate::report::{InstanceState, ReachabilityReport, ViewReport};

pub use attention::{AttentionItem, AttentionLevel};
pub(crate) use attention::{BACKPRESSURE_SHARE_MAX, BUSY_SHARE_MAX};
pub use checkpoints::LastCheckpoint;
pub use history::JobHistory;
pub use partitions::PartitionOwnership;
pub use totals::JobTotals;

/// A job.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct JobReport {
    /// When it was looked at.
    pub now_ms: i64,
    /// This process first, then the others by name; never empty where a [`crate::JobServerContext`] gave it.
    pub instances: Vec<InstanceReport>,
}

/// What a job is doing.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// No instance runs yet.
    Starting,
    /// All is well.
    Running,
    /// No instance goes on.
    Stopping,
    /// It runs, but partitions have no owner, or Kafka, Redis or the checkpoint store is away.
    Degraded,
}

/// The job's id: 32 hexadecimal digits. It must never change, since people keep it in scripts.
#[must_use]
pub fn job_id(pipeline: &str, group: &str) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(pipeline.as_bytes());
    hasher.write(&[0]);
    hasher.write(group.as_bytes());
    format!("{:032x}", u128::from(hasher.finish128()))
}

impl JobReport {
    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> JobState {
        let all = |state| self.instances.iter().all(|one| one.state == state);
        if all(InstanceState::Stopping) {
            return JobState::Stopping;
        }
        if !self.instances.iter().any(|one| one.state == InstanceState::Running) {
            return JobState::Starting;
        }
        let away = [self.kafka_reachability(), self.redis_reachability(), self.checkpoint_store_reachability()]
            .iter()
            .any(|reach| reach.away_since_ms.is_some());
        if away || self.partitions().iter().any(|partition| partition.owner.is_none()) {
            JobState::Degraded
        } else {
            JobState::Running
        }
    }

    /// When the oldest of its instances started.
    #[must_use]
    pub fn started_at_ms(&self) -> i64 {
        self.instances.iter().map(|one| one.started_at_ms).min().unwrap_or_default()
    }

    /// How many partitions the topic has.
    #[must_use]
    pub fn topic_partitions(&self) -> i32 {
        self.instances.iter().map(|one| one.topic_partitions).max().unwrap_or_default()
    }

    /// Whether Kafka is there, for everybody.
    #[must_use]
    pub fn kafka_reachability(&self) -> ReachabilityReport {
        self.longest_absence(|one| &one.kafka)
    }

    /// Whether Redis is there, for everybody.
    #[must_use]
    pub fn redis_reachability(&self) -> ReachabilityReport {
        self.longest_absence(|one| &one.redis.reach)
    }

    /// Whether the checkpoint store is there, for everybody.
    #[must_use]
    pub fn checkpoint_store_reachability(&self) -> ReachabilityReport {
        self.longest_absence(|one| &one.checkpoint_store)
    }

    /// The longest absence.
    fn longest_absence(&self, of: impl Fn(&InstanceReport) -> &ReachabilityReport) -> ReachabilityReport {
        let away = self.instances.iter().map(of).filter(|reach| reach.away_since_ms.is_some());
        away.min_by_key(|reach| reach.away_since_ms).cloned().unwrap_or_default()
    }

    /// The feature views over all instances, in the pipeline's order.
    #[must_use]
    pub fn views(&self) -> Vec<ViewReport> {
        let mut views: Vec<ViewReport> = Vec::new();
        for view in self.instances.iter().flat_map(|one| &one.views) {
            match views.iter_mut().find(|known| known.name == view.name) {
                None => views.push(view.clone()),
                Some(known) => {
                    known.rows += view.rows;
                    known.rows_per_s += view.rows_per_s;
                    known.late_events += view.late_events;
                    known.entities += view.entities;
                }
            }
        }
        views
    }

    /// What `of` takes from each report, newest first by `at`, each with the instance that says it.
    pub fn newest_items<'a, T: 'a>(
        &'a self,
        of: impl Fn(&'a InstanceReport) -> &'a [T],
        at: impl Fn(&T) -> i64,
    ) -> Vec<(&'a InstanceReport, &'a T)> {
        let mut all: Vec<_> = self.instances.iter().flat_map(|one| of(one).iter().map(move |it| (one, it))).collect();
        all.sort_by_key(|(_, it)| std::cmp::Reverse(at(it)));
        all
    }
}
