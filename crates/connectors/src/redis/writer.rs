//! The Redis writer of a process: started once and shared by all workers.

use std::sync::Arc;
use std::time::Duration;

use windrow_engine::halt::{OutputFault, ServiceRefusal, share_error};
use windrow_engine::{Clock, Halt, OsThreadSpawner, StopSignal, SystemClock, ThreadSpawner};
use windrow_spec::Pipeline;

use super::address::RedisAddress;
use super::delivery::acknowledgement::AcknowledgementWait;
use super::delivery::first_connection::{StartWait, connect_until_rows_accepted};
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
use super::transport::InProcessRedis;

/// The time, the threads and the server that a writer uses. A simulation has its own.
#[derive(Clone)]
pub struct RedisWriterEnvironment {
    /// The clock by which the writer and its workers wait.
    pub clock: Arc<dyn Clock>,
    /// The start of the writer thread.
    pub thread_spawner: Arc<dyn ThreadSpawner>,
    /// The Redis of a simulation. `None` for the server at the address of the pipeline.
    pub in_process_server: Option<Arc<dyn InProcessRedis>>,
}

impl RedisWriterEnvironment {
    /// Returns the environment of a process in production.
    #[must_use]
    pub fn for_production() -> Self {
        Self { clock: SystemClock::start_shared(), thread_spawner: Arc::new(OsThreadSpawner), in_process_server: None }
    }
}

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
        Self::start_in_environment(pipeline, settings, stop, RedisWriterEnvironment::for_production())
    }

    /// Starts a writer as [`Self::start`] does, with the time, the threads and the server of `environment`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_in_environment(
        pipeline: &Pipeline,
        settings: RedisWriterSettings,
        stop: StopSignal,
        environment: RedisWriterEnvironment,
    ) -> Result<Self, Halt> {
        let RedisWriterEnvironment { clock, thread_spawner, in_process_server } = environment;
        let address = RedisAddress::parse(&pipeline.sink.redis().redis_url)
            .map_err(|reason| ServiceRefusal::RowStoreAddress { source: share_error(reason) })?
            .with_in_process_server(in_process_server);
        let granted_fences =
            GrantedFences::new(FenceKeyBuilder::new(&pipeline.name, &pipeline.source.kafka().consumer_group));
        let client = connect_until_rows_accepted(
            &address,
            pipeline,
            &granted_fences.fence_key(0),
            StartWait { settings: &settings, stop: &stop, clock: &*clock },
        )?;
        let statistics = Arc::new(WriterStatistics::new(settings.queue_bytes_max));
        let queue = Arc::new(WriteQueue::new(settings.queue_bytes_max, statistics, clock));
        let encoder = RowEncoder::new(pipeline);
        let no_answer_timeout_at_stop = settings.no_answer_timeout_at_stop;
        let acknowledgement = AcknowledgementWait::new(pipeline.sink.redis().required_acknowledgement);
        let writer = WriterThread::new(address, settings, Arc::clone(&queue), granted_fences, client, acknowledgement);
        // The thread is not joined, because a join has no deadline. Instead, `close` waits at the queue for the end of
        // the thread.
        thread_spawner
            .spawn_thread("redis-writer", Box::new(move || writer.run()))
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
        let deadline = self.queue.clock().monotonic_now() + timeout;
        self.queue.request_close(deadline);
        self.queue.wait_for_writer_end(deadline)
    }
}

impl Drop for RedisWriter {
    fn drop(&mut self) {
        self.queue.request_close(self.queue.clock().monotonic_now());
    }
}
