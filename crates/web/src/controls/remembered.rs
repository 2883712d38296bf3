//! The requests for savepoints, and what became of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::REMEMBERED_REQUESTS;
use crate::report::{CheckpointStatus, SavepointReport};

#[derive(Default)]
pub(super) struct RememberedSavepoints {
    /// Newest first.
    requests: VecDeque<RememberedSavepoint>,
}

struct RememberedSavepoint {
    report: SavepointReport,
    then_stop: bool,
    ended_at: Option<Instant>,
    fetched_at: Option<Instant>,
}

impl RememberedSavepoints {
    pub(super) fn contains(&self, request: &str) -> bool {
        self.requests.iter().any(|asked| asked.report.request == request)
    }

    /// `false` where `waiting` are under way already.
    pub(super) fn try_begin(&mut self, request: &str, location: &str, then_stop: bool, pending_max: usize) -> bool {
        if self.requests.iter().filter(|asked| asked.ended_at.is_none()).count() >= pending_max {
            return false;
        }
        // Never one that is under way.
        if self.requests.len() >= REMEMBERED_REQUESTS
            && let Some(oldest) = self.requests.iter().rposition(|asked| asked.ended_at.is_some())
        {
            self.requests.remove(oldest);
        }
        let report = SavepointReport {
            request: request.to_owned(),
            location: location.to_owned(),
            ..SavepointReport::default()
        };
        self.requests.push_front(RememberedSavepoint { report, then_stop, ended_at: None, fetched_at: None });
        true
    }

    pub(super) fn record_progress(&mut self, request: &str, saved: usize, partitions: usize) {
        if let Some(asked) = self.find_mut(request) {
            (asked.report.saved, asked.report.partitions) = (saved, partitions);
        }
    }

    pub(super) fn record_outcome(&mut self, request: &str, outcome: Result<(), String>) {
        if let Some(asked) = self.find_mut(request) {
            asked.ended_at = Some(Instant::now());
            asked.report.failure = outcome.err();
            let failed = asked.report.failure.is_some();
            asked.report.status = if failed { CheckpointStatus::Failed } else { CheckpointStatus::Completed };
        }
    }

    /// What became of `request`, noting that somebody heard of its end.
    pub(super) fn fetch_report(&mut self, request: &str) -> Option<SavepointReport> {
        let asked = self.find_mut(request)?;
        if asked.ended_at.is_some() {
            asked.fetched_at.get_or_insert_with(Instant::now);
        }
        Some(asked.report.clone())
    }

    pub(super) fn reports(&self) -> Vec<SavepointReport> {
        self.requests.iter().map(|asked| asked.report.clone()).collect()
    }

    /// Until when answers should be given, because of stops that somebody waits to hear of.
    pub(super) fn keep_serving_until(&self, unfetched_timeout: Duration, fetched_grace: Duration) -> Option<Instant> {
        let stopped =
            self.requests.iter().filter(|asked| asked.then_stop && asked.report.status == CheckpointStatus::Completed);
        let until = |asked: &RememberedSavepoint| match (asked.ended_at, asked.fetched_at) {
            (_, Some(fetched)) => Some(fetched + fetched_grace),
            (ended, None) => ended.map(|ended| ended + unfetched_timeout),
        };
        stopped.filter_map(until).max()
    }

    fn find_mut(&mut self, request: &str) -> Option<&mut RememberedSavepoint> {
        self.requests.iter_mut().find(|asked| asked.report.request == request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_under_way_is_never_forgotten() {
        let mut remembered = RememberedSavepoints::default();
        assert!(remembered.try_begin("long", "/a", true, 4));
        for n in 0..2 * REMEMBERED_REQUESTS {
            let name = format!("n{n}");
            assert!(remembered.try_begin(&name, "/b", false, 4));
            remembered.record_outcome(&name, Err("another is being taken".to_owned()));
        }
        assert!(remembered.contains("long") && !remembered.contains("n0"));
        assert_eq!(remembered.reports().len(), REMEMBERED_REQUESTS);
    }
}
