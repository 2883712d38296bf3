//! The requests for savepoints, and what became of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::REMEMBERED;
use crate::report::{CheckpointStatus, SavepointReport};

#[derive(Default)]
pub(super) struct Remembered {
    /// Newest first.
    asked: VecDeque<Asked>,
}

struct Asked {
    report: SavepointReport,
    then_stop: bool,
    ended: Option<Instant>,
    fetched: Option<Instant>,
}

impl Remembered {
    pub(super) fn knows(&self, request: &str) -> bool {
        self.asked.iter().any(|asked| asked.report.request == request)
    }

    /// `false` where `waiting` are under way already.
    pub(super) fn begin(&mut self, request: &str, location: &str, then_stop: bool, waiting: usize) -> bool {
        if self.asked.iter().filter(|asked| asked.ended.is_none()).count() >= waiting {
            return false;
        }
        // Never one that is under way.
        if self.asked.len() >= REMEMBERED
            && let Some(oldest) = self.asked.iter().rposition(|asked| asked.ended.is_some())
        {
            self.asked.remove(oldest);
        }
        let report = SavepointReport {
            request: request.to_owned(),
            location: location.to_owned(),
            ..SavepointReport::default()
        };
        self.asked.push_front(Asked { report, then_stop, ended: None, fetched: None });
        true
    }

    pub(super) fn progress(&mut self, request: &str, saved: usize, partitions: usize) {
        if let Some(asked) = self.find(request) {
            (asked.report.saved, asked.report.partitions) = (saved, partitions);
        }
    }

    pub(super) fn end(&mut self, request: &str, outcome: Result<(), String>) {
        if let Some(asked) = self.find(request) {
            asked.ended = Some(Instant::now());
            asked.report.failure = outcome.err();
            let failed = asked.report.failure.is_some();
            asked.report.status = if failed { CheckpointStatus::Failed } else { CheckpointStatus::Completed };
        }
    }

    /// What became of `request`, noting that somebody heard of its end.
    pub(super) fn fetch(&mut self, request: &str) -> Option<SavepointReport> {
        let asked = self.find(request)?;
        if asked.ended.is_some() {
            asked.fetched.get_or_insert_with(Instant::now);
        }
        Some(asked.report.clone())
    }

    pub(super) fn reports(&self) -> Vec<SavepointReport> {
        self.asked.iter().map(|asked| asked.report.clone()).collect()
    }

    /// Until when answers should be given, because of stops that somebody waits to hear of.
    pub(super) fn answers_until(&self, unheard: Duration, heard: Duration) -> Option<Instant> {
        let stopped =
            self.asked.iter().filter(|asked| asked.then_stop && asked.report.status == CheckpointStatus::Completed);
        let until = |asked: &Asked| match (asked.ended, asked.fetched) {
            (_, Some(fetched)) => Some(fetched + heard),
            (ended, None) => ended.map(|ended| ended + unheard),
        };
        stopped.filter_map(until).max()
    }

    fn find(&mut self, request: &str) -> Option<&mut Asked> {
        self.asked.iter_mut().find(|asked| asked.report.request == request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_under_way_is_never_forgotten() {
        let mut remembered = Remembered::default();
        assert!(remembered.begin("long", "/a", true, 4));
        for n in 0..2 * REMEMBERED {
            let name = format!("n{n}");
            assert!(remembered.begin(&name, "/b", false, 4));
            remembered.end(&name, Err("another is being taken".to_owned()));
        }
        assert!(remembered.knows("long") && !remembered.knows("n0"));
        assert_eq!(remembered.reports().len(), REMEMBERED);
    }
}
