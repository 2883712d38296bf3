//! The Redis writer of a process: started once and shared by all workers.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use windrow_engine::halt::{OutputFault, ServiceRefusal, share_error};
use windrow_engine::{Halt, StopSignal};
use windrow_spec::Pipeline;

use super::address::RedisAddress;
use super::delivery::first_connection::connect_until_rows_accepted;
use super::delivery::queue::{WriteQueue, WriterCloseOutcome};
use super::delivery::writer_thread::WriterThread;
use super::fence::granted::GrantedFences;
use super::fence::key::FenceKeyBuilder;
use super::fence_claimer::RedisFenceClaimer;
use super::observe::recent_rows::RecentRows;
use super::observe::statistics::{RedisWriterObserver, WriterStatistics};
use super::observe::status::RedisWriterStatus;
use super::rows::row_encoder::RowEncoder;
use super::settings::RedisWriterSettings;
use super::sink::RedisSink;

/// Writes the rows of a pipeline to Redis, for all workers of this process.
pub struct RedisWriter {
    queue: Arc<WriteQueue>,
    encoder: RowEncoder,
    stop: StopSignal,
    no_answer_timeout_at_stop: Duration,
}

impl RedisWriter {
    /// Connects to the Redis of `pipeline`, waits until Redis accepts rows of the pipeline, and starts the writer
    /// thread. The wait ends after [`RedisWriterSettings::start_timeout`] or a stop request.
    ///
    /// # Errors
    /// - [`Halt::Unreachable`] when the wait ends before Redis accepts rows.
    /// - [`Halt::Refused`] when the URL is invalid, or when Redis refuses the login, a command or a key, or lacks a
    ///   required command.
    /// - [`Halt::Output`] when the writer thread cannot be started.
    pub fn start(pipeline: &Pipeline, settings: RedisWriterSettings, stop: StopSignal) -> Result<Self, Halt> {
        let address = RedisAddress::parse(&pipeline.sink.redis().redis_url)
            .map_err(|reason| ServiceRefusal::RowStoreAddress { source: share_error(reason) })?;
        let granted_fences =
            GrantedFences::new(FenceKeyBuilder::new(&pipeline.name, &pipeline.source.kafka().consumer_group));
        let client = connect_until_rows_accepted(&address, pipeline, &granted_fences.fence_key(0), &settings, &stop)?;
        let statistics = Arc::new(WriterStatistics::new(settings.queue_bytes_max));
        let queue = Arc::new(WriteQueue::new(settings.queue_bytes_max, statistics));
        let encoder = RowEncoder::new(pipeline);
        let no_answer_timeout_at_stop = settings.no_answer_timeout_at_stop;
        let writer = WriterThread::new(address, settings, Arc::clone(&queue), granted_fences, client);
        // The thread is not joined, because a join has no deadline. Instead, `close` waits at the queue for the end of
        // the thread.
        let _detached = thread::Builder::new()
            .name("redis-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| OutputFault::WriterNotStarted { source: share_error(error) })?;
        Ok(Self { queue, encoder, stop, no_answer_timeout_at_stop })
    }

    /// Creates the sink of a new worker.
    #[must_use]
    pub fn create_worker_sink(&self) -> RedisSink {
        RedisSink::new(Arc::clone(&self.queue), self.stop.clone(), self.no_answer_timeout_at_stop, self.encoder.clone())
    }

    /// Creates a handle for claims to partitions. A worker must claim a partition before it writes
    /// rows of that partition.
    #[must_use]
    pub fn create_fence_claimer(&self) -> RedisFenceClaimer {
        RedisFenceClaimer::new(Arc::clone(&self.queue), self.stop.clone())
    }

    /// Returns the current counters.
    #[must_use]
    pub fn status(&self) -> RedisWriterStatus {
        self.queue.statistics().status()
    }

    /// Returns a handle to the statistics of the writer.
    #[must_use]
    pub fn observer(&self) -> RedisWriterObserver {
        RedisWriterObserver::new(Arc::clone(self.queue.statistics()))
    }

    /// Returns a handle to the newest written rows.
    #[must_use]
    pub fn recent_rows(&self) -> RecentRows {
        self.observer().recent_rows()
    }

    /// Ends the writer as soon as every flushed row is written, at the latest after `timeout`. Rows that a sink hands
    /// over after the end are dropped and never acknowledged.
    pub fn close(&self, timeout: Duration) -> WriterCloseOutcome {
        let deadline = Instant::now() + timeout;
        self.queue.request_close(deadline);
        self.queue.wait_for_writer_end(deadline)
    }
}

impl Drop for RedisWriter {
    fn drop(&mut self) {
        self.queue.request_close(Instant::now());
    }
}
