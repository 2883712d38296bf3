//! How much is done for visitors at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use windrow_connectors::kafka::browse::BrowseError;

use super::answer::too_many_requests;
use crate::answers::HttpFault;

/// Questions to brokers under way at a time.
const QUESTIONS_MAX: usize = 8;
/// A question ends after this, whatever the brokers do.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(12);
/// Readings and sendings of records under way at a time, each with a Kafka client of its own.
const READINGS_MAX: usize = 3;
/// Topics followed at a time. With the readings one fewer than the server has threads for what blocks: looking up names
/// needs one, too.
const TAILS_MAX: usize = 4;
/// How long a visitor waits for a turn.
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
    /// Does `question` when it is its turn.
    pub(super) async fn run_question<T>(
        &self,
        question: impl Future<Output = Result<T, BrowseError>>,
    ) -> Result<T, HttpFault> {
        let _turn = wait_for_turn(&self.questions).await?;
        let late = || BrowseError::Unreachable(format!("Kafka did not answer within {} s", QUESTION_TIMEOUT.as_secs()));
        Ok(timeout(QUESTION_TIMEOUT, question).await.unwrap_or_else(|_| Err(late()))?)
    }

    /// Does `work`, which blocks, on a thread where that is allowed, when it is its turn. The turn lasts until the work is
    /// done, also when nobody waits for it any more.
    pub(super) async fn run_reading<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BrowseError> + Send + 'static,
    ) -> Result<T, HttpFault> {
        let turn = wait_for_turn(&self.readings).await?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        let done = done.await.map_err(|error| {
            HttpFault::new(StatusCode::INTERNAL_SERVER_ERROR, format!("reading from Kafka broke off: {error}"))
        })?;
        Ok(done?)
    }

    /// A turn at following a topic, if there is one.
    pub(super) fn try_begin_tail(&self) -> Result<OwnedSemaphorePermit, HttpFault> {
        Arc::clone(&self.tails).try_acquire_owned().map_err(|_| too_many_requests())
    }
}

async fn wait_for_turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, HttpFault> {
    let turn = timeout(TURN_TIMEOUT, Arc::clone(turns).acquire_owned()).await;
    turn.ok().and_then(Result::ok).ok_or_else(too_many_requests)
}
