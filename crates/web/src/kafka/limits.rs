//! Limits how many requests to Kafka are processed at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use windrow_connectors::kafka::browse::BrowseError;

use super::answer::too_many_requests;
use crate::answers::HttpFault;

/// The largest number of concurrent questions to brokers.
const MAX_CONCURRENT_QUESTIONS: usize = 8;
/// The time after which a question without an answer fails.
const BROKER_ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
/// The largest number of concurrent reads and writes of records. Each has its own Kafka client.
const MAX_CONCURRENT_READINGS: usize = 3;
/// The largest number of topics that are followed at a time. Reads and followers together use one blocking thread fewer
/// than the server has, because name lookup needs one.
const MAX_CONCURRENT_TAILS: usize = 4;
/// The time after which a request without a turn fails.
const TURN_TIMEOUT: Duration = Duration::from_secs(8);

/// The limits of concurrent requests to Kafka. A request waits for a turn (a semaphore permit) before it runs.
pub(super) struct KafkaLimits {
    question_permits: Arc<Semaphore>,
    reading_permits: Arc<Semaphore>,
    tail_permits: Arc<Semaphore>,
}

impl Default for KafkaLimits {
    fn default() -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self {
            question_permits: turns(MAX_CONCURRENT_QUESTIONS),
            reading_permits: turns(MAX_CONCURRENT_READINGS),
            tail_permits: turns(MAX_CONCURRENT_TAILS),
        }
    }
}

impl KafkaLimits {
    /// Waits for a turn, and then runs `question`.
    pub(super) async fn run_broker_question<T>(
        &self,
        question: impl Future<Output = Result<T, BrowseError>>,
    ) -> Result<T, HttpFault> {
        let _turn = wait_for_turn(&self.question_permits).await?;
        let timed_out = |_| {
            let reason = format!("Kafka did not answer within {} s", BROKER_ANSWER_TIMEOUT.as_secs());
            HttpFault::new(StatusCode::SERVICE_UNAVAILABLE, reason)
        };
        Ok(timeout(BROKER_ANSWER_TIMEOUT, question).await.map_err(timed_out)??)
    }

    /// Waits for a turn, and then runs `work` on a blocking thread. The turn lasts until `work` ends, even if the
    /// visitor has disconnected.
    pub(super) async fn run_on_blocking_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BrowseError> + Send + 'static,
    ) -> Result<T, HttpFault> {
        let turn = wait_for_turn(&self.reading_permits).await?;
        let finished = spawn_blocking(move || {
            let finished = work();
            drop(turn);
            finished
        });
        let panicked =
            |error| HttpFault::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the work with Kafka failed: {error}"));
        Ok(finished.await.map_err(panicked)??)
    }

    /// Returns a turn to follow a topic, or a fault if all turns are taken.
    pub(super) fn try_acquire_tail_permit(&self) -> Result<OwnedSemaphorePermit, HttpFault> {
        Arc::clone(&self.tail_permits).try_acquire_owned().map_err(|_| too_many_requests())
    }
}

async fn wait_for_turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, HttpFault> {
    let turn = timeout(TURN_TIMEOUT, Arc::clone(turns).acquire_owned()).await;
    turn.ok().and_then(Result::ok).ok_or_else(too_many_requests)
}
