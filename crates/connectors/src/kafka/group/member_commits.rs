//! The commits of one consumer whose answers are pending.
//!
//! A commit is outdated if the membership in which it was sent has ended. Kafka takes an outdated commit with a static name
//! for one of another process (`rebalance_events`).

use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

#[derive(Debug, Default)]
pub(super) struct MemberCommits {
    are_accepted: bool,
    membership: u64,
    in_flight: usize,
    /// The outdated commits that have no answer, and those that Kafka took for commits of another process.
    outdated: usize,
}

/// A commit in flight.
#[derive(Debug)]
pub(super) struct CommitInFlight {
    membership: u64,
}

impl MemberCommits {
    pub(super) fn start_accepting(&mut self) {
        self.are_accepted = true;
    }

    pub(super) fn stop_accepting(&mut self) {
        self.are_accepted = false;
    }

    /// Notes that a commit is sent. Returns `None` if the member must not commit.
    pub(super) fn begin(&mut self) -> Option<CommitInFlight> {
        if !self.are_accepted {
            return None;
        }
        self.in_flight += 1;
        Some(CommitInFlight { membership: self.membership })
    }

    /// Notes the answer to `commit`.
    pub(super) fn end(&mut self, commit: &CommitInFlight, answer: &KafkaResult<()>) {
        if commit.membership == self.membership {
            self.in_flight -= 1;
            return;
        }
        let code = answer.as_ref().err().and_then(|error| error.rdkafka_error_code());
        // librdkafka has ended the consumer. The thread that polls it finds out which request was refused.
        if code != Some(RDKafkaErrorCode::FencedInstanceId) {
            self.outdated -= 1;
        }
    }

    /// Returns whether commits of the present membership are in flight.
    pub(super) fn are_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// Ends the membership. Commits that are still in flight become outdated.
    pub(super) fn stop_awaiting(&mut self) {
        self.membership += 1;
        self.outdated += std::mem::take(&mut self.in_flight);
    }

    /// Returns whether an outdated commit may be the request that Kafka has refused.
    pub(super) fn are_outdated(&self) -> bool {
        self.outdated > 0
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::KafkaError;

    use super::*;

    #[test]
    fn a_commit_is_outdated_from_the_end_of_its_membership_until_its_answer() {
        let mut commits = MemberCommits::default();
        assert!(commits.begin().is_none());
        commits.start_accepting();
        let (first, second) = (commits.begin().expect("accepted"), commits.begin().expect("accepted"));
        commits.end(&first, &Ok(()));
        assert!(commits.are_in_flight() && !commits.are_outdated());
        commits.stop_awaiting();
        assert!(!commits.are_in_flight() && commits.are_outdated());
        let third = commits.begin().expect("accepted");
        commits.end(&second, &Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownMemberId)));
        assert!(commits.are_in_flight() && !commits.are_outdated());
        commits.end(&third, &Ok(()));
        assert!(!commits.are_in_flight());
    }

    #[test]
    fn an_outdated_commit_that_kafka_took_for_another_process_stays_known() {
        let mut commits = MemberCommits::default();
        commits.start_accepting();
        let commit = commits.begin().expect("accepted");
        commits.stop_awaiting();
        commits.end(&commit, &Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::FencedInstanceId)));
        assert!(commits.are_outdated());
    }
}
