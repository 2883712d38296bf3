//! The runtime of the object stores, and the timeout of every call.
//!
//! Invariant: dropping the runtime does not block.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use windrow_engine::StoreFault;

/// The timeout of a call: long enough for some refused requests and one request that hangs (see [`super::cloud`]).
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct StoreRuntime {
    /// `None` only while this value is being dropped.
    runtime: Option<Runtime>,
}

impl StoreRuntime {
    pub(super) fn start() -> Result<Self, StoreFault> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("object-store")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| {
                StoreFault::Failed(format!("the thread of the checkpoint store did not start: {error}"))
            })?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs `call` with the timeout [`CALL_TIMEOUT`]. Error messages begin with `failure`, for example "could not write
    /// NAME in PLACE".
    pub(super) fn block_on_with_timeout<T>(
        &self,
        failure: impl Fn() -> String,
        call: impl Future<Output = Result<T, StoreFault>>,
    ) -> Result<T, StoreFault> {
        let Some(runtime) = &self.runtime else {
            return Err(StoreFault::Failed(format!("{}: the checkpoint store is closed", failure())));
        };
        runtime.block_on(async {
            tokio::time::timeout(CALL_TIMEOUT, call).await.unwrap_or_else(|_elapsed| {
                Err(StoreFault::Failed(format!("{}: no answer within {} s", failure(), CALL_TIMEOUT.as_secs())))
            })
        })
    }
}

impl Drop for StoreRuntime {
    fn drop(&mut self) {
        // A disk that hangs must not delay the end of the program.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs `work`, which blocks on the disk, on a thread of the runtime for blocking work.
pub(super) async fn run_on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreFault> + Send + 'static,
) -> Result<T, StoreFault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(StoreFault::Failed(format!("a call of the checkpoint store was given up: {error}")))
    })
}
