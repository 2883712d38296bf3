//! Limits how many requests of visitors use Kafka at the same time. A request uses Kafka only while the request holds a
//! permit.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use windrow_connectors::kafka::browse::BrowseError;

use super::answer::too_many_requests_fault;
use crate::answers::HttpFault;

/// The largest number of concurrent requests to brokers for metadata, such as topics and groups.
const MAX_CONCURRENT_BROKER_REQUESTS: usize = 8;
/// The longest time that a metadata request waits for the brokers' answer. After this time, the request fails.
const BROKER_ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
/// The largest number of concurrent requests that read or send records. Each such request needs a Kafka client of its
/// own.
const MAX_CONCURRENT_READS_AND_SENDS: usize = 3;
/// The largest number of requests that follow a topic, which means to stream its new records, at the same time.
/// Requests that follow, read or send use at most seven of the server's eight blocking threads. The eighth thread is
/// left for the lookup of host names.
const MAX_CONCURRENT_TAILS: usize = 4;
/// The longest time that a request waits for a permit. After this time, the request fails.
const PERMIT_WAIT_TIMEOUT: Duration = Duration::from_secs(8);

/// The permits for concurrent requests to Kafka. A request holds a permit while the request uses Kafka.
pub(super) struct KafkaConcurrencyLimits {
    broker_request_permits: Arc<Semaphore>,
    read_and_send_permits: Arc<Semaphore>,
    tail_permits: Arc<Semaphore>,
}

impl Default for KafkaConcurrencyLimits {
    fn default() -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self {
            broker_request_permits: permits(MAX_CONCURRENT_BROKER_REQUESTS),
            read_and_send_permits: permits(MAX_CONCURRENT_READS_AND_SENDS),
            tail_permits: permits(MAX_CONCURRENT_TAILS),
        }
    }
}

impl KafkaConcurrencyLimits {
    /// Waits for a permit, runs `request`, and returns the brokers' answer. Fails if no permit becomes free within
    /// eight seconds, or if no answer arrives within twelve more seconds.
    pub(super) async fn run_broker_request<T>(
        &self,
        request: impl Future<Output = Result<T, BrowseError>>,
    ) -> Result<T, HttpFault> {
        let _permit = wait_for_permit(&self.broker_request_permits).await?;
        let timed_out = |_| {
            let reason = format!("Kafka did not answer within {} s", BROKER_ANSWER_TIMEOUT.as_secs());
            HttpFault::new(StatusCode::SERVICE_UNAVAILABLE, reason)
        };
        Ok(timeout(BROKER_ANSWER_TIMEOUT, request).await.map_err(timed_out)??)
    }

    /// Waits for a permit, and then runs `read_or_send` on a blocking thread. The thread holds the permit until
    /// `read_or_send` ends, even if the visitor disconnects earlier.
    pub(super) async fn run_read_or_send<T: Send + 'static>(
        &self,
        read_or_send: impl FnOnce() -> Result<T, BrowseError> + Send + 'static,
    ) -> Result<T, HttpFault> {
        let permit = wait_for_permit(&self.read_and_send_permits).await?;
        let finished = spawn_blocking(move || {
            let finished = read_or_send();
            drop(permit);
            finished
        });
        let panicked = |error| {
            HttpFault::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the thread that talks to Kafka failed: {error}"))
        };
        Ok(finished.await.map_err(panicked)??)
    }

    /// Returns a permit to stream the new records of a topic. If other requests hold all such permits, returns a fault
    /// at once.
    pub(super) fn try_acquire_tail_permit(&self) -> Result<OwnedSemaphorePermit, HttpFault> {
        Arc::clone(&self.tail_permits).try_acquire_owned().map_err(|_| too_many_requests_fault())
    }
}

async fn wait_for_permit(permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, HttpFault> {
    let permit = timeout(PERMIT_WAIT_TIMEOUT, Arc::clone(permits).acquire_owned()).await;
    permit.ok().and_then(Result::ok).ok_or_else(too_many_requests_fault)
}
