//! The asynchronous runtime of the object stores, and the timeout of every call to a store.
//!
//! Invariant: dropping the runtime does not block.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use windrow_engine::StoreFault;
use windrow_engine::halt::share_error;

use super::fault::{CallFailureCause, StoreCall, store_call_fault};

/// The timeout of a call to a store. It is long enough for several failed requests and one request that hangs (see
/// [`super::cloud`]).
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum number of threads that block on the disk. A call that hangs keeps its thread after its timeout, so a disk
/// that hangs must not fill the process with threads. Further calls wait for a thread, and fail at their timeout.
const MAX_BLOCKING_THREADS: usize = 64;

/// A fault of a thread of the runtime.
#[derive(Debug, thiserror::Error)]
enum StoreThreadError {
    #[error("the thread of the checkpoint store did not start: {0}")]
    NotStarted(std::io::Error),
    #[error("a call of the checkpoint store was aborted: {0}")]
    WorkAborted(tokio::task::JoinError),
}

#[derive(Debug)]
pub(super) struct StoreRuntime {
    /// `None` only while the [`StoreRuntime`] is being dropped.
    runtime: Option<Runtime>,
}

impl StoreRuntime {
    pub(super) fn start() -> Result<Self, StoreFault> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .thread_name("object-store")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| StoreFault::Failed(share_error(StoreThreadError::NotStarted(error))))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Waits for the result of `work`. Returns a fault that names `call` if `work` takes longer than [`CALL_TIMEOUT`].
    pub(super) fn block_on_with_timeout<T>(
        &self,
        call: &StoreCall,
        work: impl Future<Output = Result<T, StoreFault>>,
    ) -> Result<T, StoreFault> {
        let Some(runtime) = &self.runtime else {
            return Err(store_call_fault(call, CallFailureCause::StoreClosed));
        };
        runtime.block_on(async {
            tokio::time::timeout(CALL_TIMEOUT, work).await.unwrap_or_else(|_elapsed| {
                let cause = CallFailureCause::Timeout { timeout_seconds: CALL_TIMEOUT.as_secs() };
                Err(store_call_fault(call, cause))
            })
        })
    }
}

impl Drop for StoreRuntime {
    fn drop(&mut self) {
        // An ordinary drop would wait for threads that block on the disk. A disk that hangs must not delay the end of
        // the program.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs `work` on a thread that the runtime reserves for blocking work, because `work` blocks on the disk.
pub(super) async fn run_on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreFault> + Send + 'static,
) -> Result<T, StoreFault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreFault::Failed(share_error(StoreThreadError::WorkAborted(error)))))
}
