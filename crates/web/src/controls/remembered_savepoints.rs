//! Remembers the newest savepoint requests, with the progress and the outcome of each savepoint.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::savepoint_refusal::MAX_PENDING_SAVEPOINTS;
use crate::report::{CheckpointStatus, RequestedSavepointReport};

/// The largest number of savepoint requests that the process remembers.
pub const MAX_REMEMBERED_REQUESTS: usize = 50;

#[derive(Default)]
pub(super) struct RememberedSavepoints {
    /// The requests, newest first.
    requests: VecDeque<RememberedSavepoint>,
}

struct RememberedSavepoint {
    report: RequestedSavepointReport,
    stops_job: bool,
    ended_at: Option<Instant>,
    outcome_fetched_at: Option<Instant>,
}

/// A savepoint request to add to [`RememberedSavepoints`], before the thread that takes the savepoint starts.
pub(super) struct NewSavepointRequest<'a> {
    pub(super) request_name: &'a str,
    pub(super) location: &'a str,
    /// Whether the job stops when the savepoint is complete.
    pub(super) stops_job: bool,
}

/// How long the server keeps running after a savepoint has stopped the job, so that a caller can fetch the savepoint's
/// outcome.
#[derive(Clone, Copy)]
pub(super) struct OutcomeServingTimes {
    /// How long the server waits for a caller to fetch the outcome, counted from the end of the savepoint.
    pub(super) wait_for_fetch_max: Duration,
    /// How long the server keeps running after a caller has first asked for the outcome, so that this caller receives
    /// the answer.
    pub(super) wait_after_fetch: Duration,
}

/// Whether a savepoint may begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SavepointAdmission {
    Admitted,
    TooManyPending,
}

impl RememberedSavepoints {
    pub(super) fn contains_request(&self, request_name: &str) -> bool {
        self.requests.iter().any(|known| known.report.request_name == request_name)
    }

    /// Adds a request, unless too many savepoints are already in progress. If the list of requests is full, first
    /// forgets the oldest request whose savepoint has ended.
    pub(super) fn try_add_request(&mut self, new_request: &NewSavepointRequest<'_>) -> SavepointAdmission {
        if self.requests.iter().filter(|known| known.ended_at.is_none()).count() >= MAX_PENDING_SAVEPOINTS {
            return SavepointAdmission::TooManyPending;
        }
        if self.requests.len() >= MAX_REMEMBERED_REQUESTS
            && let Some(oldest_ended) = self.requests.iter().rposition(|known| known.ended_at.is_some())
        {
            self.requests.remove(oldest_ended);
        }
        let report = RequestedSavepointReport {
            request_name: new_request.request_name.to_owned(),
            location: new_request.location.to_owned(),
            ..RequestedSavepointReport::default()
        };
        let (ended_at, fetched_at) = (None, None);
        self.requests.push_front(RememberedSavepoint {
            report,
            stops_job: new_request.stops_job,
            ended_at,
            outcome_fetched_at: fetched_at,
        });
        SavepointAdmission::Admitted
    }

    pub(super) fn record_progress(&mut self, request_name: &str, saved: usize, partitions: usize) {
        if let Some(known) = self.find_request_mut(request_name) {
            (known.report.saved_partition_count, known.report.partition_count) = (saved, partitions);
        }
    }

    pub(super) fn record_outcome(&mut self, request_name: &str, outcome: Result<(), String>) {
        if let Some(known) = self.find_request_mut(request_name) {
            known.ended_at = Some(Instant::now());
            known.report.failure = outcome.err();
            let failed = known.report.failure.is_some();
            known.report.status = if failed { CheckpointStatus::Failed } else { CheckpointStatus::Completed };
        }
    }

    /// Returns the report of the savepoint with this request name. If the savepoint has ended, records that a caller
    /// has fetched the outcome.
    pub(super) fn get_report_and_mark_fetched(&mut self, request_name: &str) -> Option<RequestedSavepointReport> {
        let known = self.find_request_mut(request_name)?;
        if known.ended_at.is_some() {
            known.outcome_fetched_at.get_or_insert_with(Instant::now);
        }
        Some(known.report.clone())
    }

    pub(super) fn reports_newest_first(&self) -> Vec<RequestedSavepointReport> {
        self.requests.iter().map(|known| known.report.clone()).collect()
    }

    /// Returns the time until which the server must keep running, so that a caller can fetch the outcome of the
    /// savepoint that stopped the job. Returns `None` if no savepoint stopped the job.
    pub(super) fn outcome_serving_deadline(&self, times: OutcomeServingTimes) -> Option<Instant> {
        let stopping =
            self.requests.iter().filter(|known| known.stops_job && known.report.status == CheckpointStatus::Completed);
        let until = |known: &RememberedSavepoint| match (known.ended_at, known.outcome_fetched_at) {
            (_, Some(fetched_at)) => Some(fetched_at + times.wait_after_fetch),
            (ended_at, None) => ended_at.map(|ended_at| ended_at + times.wait_for_fetch_max),
        };
        stopping.filter_map(until).max()
    }

    fn find_request_mut(&mut self, request_name: &str) -> Option<&mut RememberedSavepoint> {
        self.requests.iter_mut().find(|known| known.report.request_name == request_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_under_way_is_never_forgotten() {
        let mut remembered = RememberedSavepoints::default();
        let long = NewSavepointRequest { request_name: "long", location: "/a", stops_job: true };
        assert_eq!(remembered.try_add_request(&long), SavepointAdmission::Admitted);
        for n in 0..2 * MAX_REMEMBERED_REQUESTS {
            let name = format!("n{n}");
            let short = NewSavepointRequest { request_name: &name, location: "/b", stops_job: false };
            assert_eq!(remembered.try_add_request(&short), SavepointAdmission::Admitted);
            remembered.record_outcome(&name, Err("another is being taken".to_owned()));
        }
        assert!(remembered.contains_request("long") && !remembered.contains_request("n0"));
        assert_eq!(remembered.reports_newest_first().len(), MAX_REMEMBERED_REQUESTS);
    }
}
