//! The writer of a process: started once, shared by all workers.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use windrow_engine::halt::{OutputFault, ServiceRefusal, share_error};
use windrow_engine::{Halt, StopSignal};
use windrow_spec::Pipeline;

use super::address::RedisAddress;
use super::claim::RedisFence;
use super::delivery::queue::{CloseOutcome, WriteQueue};
use super::delivery::startup::connect_when_ready;
use super::delivery::thread::WriterThread;
use super::fence::granted::GrantedFences;
use super::fence::key::FenceKeys;
use super::observe::recent_rows::RecentRows;
use super::observe::statistics::{RedisWriterObserver, WriterStatistics};
use super::observe::status::RedisWriterStatus;
use super::rows::encode::RowEncoder;
use super::settings::RedisWriterSettings;
use super::sink::RedisSink;

/// Writes the rows of a pipeline to Redis, for all workers of this process.
pub struct RedisWriter {
    queue: Arc<WriteQueue>,
    encoder: RowEncoder,
    stop: StopSignal,
    stop_timeout: Duration,
}

impl RedisWriter {
    /// Connects to the Redis of `pipeline` and starts the writer thread. Waits until Redis would take rows of its views:
    /// at most for [`RedisWriterSettings::start_timeout`], and not after a stop request.
    ///
    /// # Errors
    /// [`Halt::Unreachable`] when the time is over. [`Halt::Refused`] when the URL is invalid, when Redis refuses the
    /// login, a command or a key, or when it lacks what is needed. [`Halt::Output`] when no thread can be started.
    pub fn start(pipeline: &Pipeline, settings: RedisWriterSettings, stop: StopSignal) -> Result<Self, Halt> {
        let address = RedisAddress::parse(&pipeline.sink.redis().url)
            .map_err(|reason| ServiceRefusal::RowStoreAddress { source: share_error(reason) })?;
        let granted_fences = GrantedFences::new(FenceKeys::new(&pipeline.name, &pipeline.source.kafka().group));
        let client = connect_when_ready(&address, pipeline, &granted_fences.fence_key(0), &settings, &stop)?;
        let statistics = Arc::new(WriterStatistics::new(settings.queue_bytes));
        let queue = Arc::new(WriteQueue::new(settings.queue_bytes, statistics));
        let encoder = RowEncoder::new(pipeline);
        let stop_timeout = settings.stop_timeout;
        let writer = WriterThread::new(address, settings, Arc::clone(&queue), granted_fences, client);
        // Not joined: `close` waits for its end on the queue, with a deadline.
        let _detached = thread::Builder::new()
            .name("redis-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| OutputFault::WriterNotStarted { source: share_error(error) })?;
        Ok(Self { queue, encoder, stop, stop_timeout })
    }

    /// Returns the sink of a new worker.
    #[must_use]
    pub fn sink(&self) -> RedisSink {
        RedisSink::new(Arc::clone(&self.queue), self.stop.clone(), self.stop_timeout, self.encoder.clone())
    }

    /// Returns the fences of the pipeline's partitions. A worker claims a partition before its first row.
    #[must_use]
    pub fn fence(&self) -> RedisFence {
        RedisFence::new(Arc::clone(&self.queue), self.stop.clone())
    }

    /// Returns the counters now.
    #[must_use]
    pub fn status(&self) -> RedisWriterStatus {
        self.queue.statistics().status()
    }

    /// Returns a handle to what the writer records about itself.
    #[must_use]
    pub fn observer(&self) -> RedisWriterObserver {
        RedisWriterObserver::new(Arc::clone(self.queue.statistics()))
    }

    /// Returns the newest written rows.
    #[must_use]
    pub fn recent_rows(&self) -> RecentRows {
        self.observer().recent_rows()
    }

    /// Ends the writer once every flushed row is written, or after `timeout`. Rows handed over afterwards are dropped and
    /// never acknowledged.
    pub fn close(&self, timeout: Duration) -> CloseOutcome {
        let deadline = Instant::now() + timeout;
        self.queue.close(deadline);
        self.queue.wait_for_writer_end(deadline)
    }
}

impl Drop for RedisWriter {
    fn drop(&mut self) {
        self.queue.close(Instant::now());
    }
}
