//! The asynchronous runtime of the object stores, and the timeout of every call to a store.
//!
//! Invariant: dropping the runtime does not block.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::Instant;
use windrow_engine::StoreFault;
use windrow_engine::halt::share_error;

use super::fault::{CallFailureCause, StoreCall, store_call_fault};

/// The timeout of a call to a store. It is long enough for several failed requests and one request that hangs (see
/// [`super::cloud`]).
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum number of threads that block on the disk. A call that hangs keeps its thread after its timeout, so a disk
/// that hangs must not fill the process with threads. Further calls fail after [`FREE_THREAD_TIMEOUT`].
const MAX_BLOCKING_THREADS: usize = 64;
/// The time for which no thread becomes free after which all of them count as hanging.
const FREE_THREAD_TIMEOUT: Duration = Duration::from_secs(2);

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
    /// The last question whether a thread that blocks on the disk is free.
    free_thread_probe: Mutex<Option<FreeThreadProbe>>,
}

/// Work that a thread which blocks on the disk does when it is free. Several calls wait for the same probe, so a disk that
/// hangs does not fill the memory with probes.
#[derive(Clone, Debug)]
struct FreeThreadProbe {
    queued_at: Instant,
    /// Closed when a thread was free.
    is_closed: watch::Receiver<()>,
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
        Ok(Self { runtime: Some(runtime), free_thread_probe: Mutex::default() })
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

impl StoreRuntime {
    /// Calls [`Self::block_on_with_timeout`] with work that needs threads which block on the disk. Returns a fault soon if
    /// all of them hang.
    pub(super) fn block_on_disk_with_timeout<T>(
        &self,
        call: &StoreCall,
        work: impl Future<Output = Result<T, StoreFault>>,
    ) -> Result<T, StoreFault> {
        self.block_on_with_timeout(call, async {
            let FreeThreadProbe { queued_at, mut is_closed } = self.current_free_thread_probe();
            if tokio::time::timeout_at(queued_at + FREE_THREAD_TIMEOUT, is_closed.changed()).await.is_err() {
                let cause = CallFailureCause::AllThreadsHang { thread_count: MAX_BLOCKING_THREADS };
                return Err(store_call_fault(call, cause));
            }
            work.await
        })
    }

    /// Returns the probe that waits for a free thread. Starts one if none does.
    fn current_free_thread_probe(&self) -> FreeThreadProbe {
        let mut current = self.free_thread_probe.lock();
        if let Some(probe) = current.as_ref().filter(|probe| probe.is_closed.has_changed().is_ok()) {
            return probe.clone();
        }
        let (close_when_dropped, is_closed) = watch::channel(());
        tokio::task::spawn_blocking(move || drop(close_when_dropped));
        current.insert(FreeThreadProbe { queued_at: Instant::now(), is_closed }).clone()
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
