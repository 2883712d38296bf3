//! How much is done for visitors at a time.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use windrow_connectors::kafka::browse::BrowseError;

use super::answer::busy;
use crate::answers::Fault;

/// Questions to brokers under way at a time.
const QUESTIONS: usize = 8;
/// A question ends after this, whatever the brokers do.
const QUESTION_PATIENCE: Duration = Duration::from_secs(12);
/// Readings and sendings of records under way at a time, each with a Kafka client of its own.
const READINGS: usize = 3;
/// Topics followed at a time. With the readings one fewer than the server has threads for what blocks: looking up names
/// needs one, too.
const TAILS: usize = 4;
/// How long a visitor waits for a turn.
const TURN_PATIENCE: Duration = Duration::from_secs(8);

/// Turns at asking Kafka.
pub(super) struct Limits {
    questions: Arc<Semaphore>,
    readings: Arc<Semaphore>,
    tails: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self { questions: turns(QUESTIONS), readings: turns(READINGS), tails: turns(TAILS) }
    }
}

impl Limits {
    /// Does `question` when it is its turn.
    pub(super) async fn question<T>(&self, question: impl Future<Output = Result<T, BrowseError>>) -> Result<T, Fault> {
        let _turn = turn(&self.questions).await?;
        let late = || BrowseError::Away(format!("Kafka did not answer within {} s", QUESTION_PATIENCE.as_secs()));
        Ok(timeout(QUESTION_PATIENCE, question).await.unwrap_or_else(|_| Err(late()))?)
    }

    /// Does `work`, which blocks, on a thread where that is allowed, when it is its turn. The turn lasts until the work is
    /// done, also when nobody waits for it any more.
    pub(super) async fn reading<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, BrowseError> + Send + 'static,
    ) -> Result<T, Fault> {
        let turn = turn(&self.readings).await?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        let done = done.await.map_err(|error| {
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, format!("reading from Kafka broke off: {error}"))
        })?;
        Ok(done?)
    }

    /// A turn at following a topic, if there is one.
    pub(super) fn tail(&self) -> Result<OwnedSemaphorePermit, Fault> {
        Arc::clone(&self.tails).try_acquire_owned().map_err(|_| busy())
    }
}

async fn turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Fault> {
    let turn = timeout(TURN_PATIENCE, Arc::clone(turns).acquire_owned()).await;
    turn.ok().and_then(Result::ok).ok_or_else(busy)
}
