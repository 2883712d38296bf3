//! How many requests are processed at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use windrow_connectors::kafka::browse::BrowseError;

use super::answer::too_many_requests;
use crate::answers::HttpFault;

/// Questions to brokers at a time.
const QUESTIONS_MAX: usize = 8;
/// A question ends after this time, whatever the brokers do.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(12);
/// Readings and sendings of records at a time, each with a Kafka client of its own.
const READINGS_MAX: usize = 3;
/// Topics followed at a time. Readings and followers together take one thread fewer than the server has for blocking calls,
/// because looking up names needs one, too.
const TAILS_MAX: usize = 4;
/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(8);

/// Turns at asking Kafka.
pub(super) struct KafkaLimits {
    questions: Arc<Semaphore>,
    readings: Arc<Semaphore>,
    tails: Arc<Semaphore>,
}

impl Default for KafkaLimits {
    fn default() -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self { questions: turns(QUESTIONS_MAX), readings: turns(READINGS_MAX), tails: turns(TAILS_MAX) }
    }
}

impl KafkaLimits {
    /// Runs `question` when it is its turn.
    pub(super) async fn run_question<T>(
        &self,
        question: impl Future<Output = Result<T, BrowseError>>,
    ) -> Result<T, HttpFault> {
        let _turn = wait_for_turn(&self.questions).await?;
        let timed_out = |_| {
            let reason = format!("Kafka did not answer within {} s", QUESTION_TIMEOUT.as_secs());
            HttpFault::new(StatusCode::SERVICE_UNAVAILABLE, reason)
        };
        Ok(timeout(QUESTION_TIMEOUT, question).await.map_err(timed_out)??)
    }

    /// Runs `work` on a blocking thread when it is its turn. The turn lasts until the work ends, also without a waiting
    /// visitor.
    pub(super) async fn run_reading<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BrowseError> + Send + 'static,
    ) -> Result<T, HttpFault> {
        let turn = wait_for_turn(&self.readings).await?;
        let finished = spawn_blocking(move || {
            let finished = work();
            drop(turn);
            finished
        });
        let panicked =
            |error| HttpFault::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the work with Kafka failed: {error}"));
        Ok(finished.await.map_err(panicked)??)
    }

    /// Returns a turn at following a topic, if one is free.
    pub(super) fn try_begin_tail(&self) -> Result<OwnedSemaphorePermit, HttpFault> {
        Arc::clone(&self.tails).try_acquire_owned().map_err(|_| too_many_requests())
    }
}

async fn wait_for_turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, HttpFault> {
    let turn = timeout(TURN_TIMEOUT, Arc::clone(turns).acquire_owned()).await;
    turn.ok().and_then(Result::ok).ok_or_else(too_many_requests)
}
